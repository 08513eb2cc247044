// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "host/check/trial.h"
#include "touchstone/device_operations.h"

namespace touchstone::check {

/// Which cases of an operation.
struct CaseRange {
  std::uint64_t seed = 1;
  std::int64_t cases = 200;
  std::optional<std::int64_t> only = std::nullopt;  ///< this case alone
};

/// One trial that failed.
struct Failure {
  std::int64_t case_index = 0;
  std::string shape;
  std::string trial;
  std::string problem;
};

/// How an operation came through its cases.
struct OperationReport {
  std::string operation;
  std::int64_t cases = 0;
  std::int64_t trials = 0;
  std::int64_t failed_cases = 0;
  std::int64_t followed = 0;     ///< choices between close elements in which the reference followed the device
  double worst_ratio = 0;        ///< the largest error in units of its bound
  std::string worst_shape;       ///< where that was; empty while all errors are zero
  std::vector<Failure> details;  ///< of the first failures
};

/// Called before each case.
using CaseObserver = std::function<void(const std::string& operation, std::int64_t done, std::int64_t cases)>;

/// Runs each case of an operation on a device, once with each variant, and compares: variant 0 with the reference, the
/// others with variant 0, bit by bit. What the device throws is a failure like any other. Leaves variant 0 selected.
OperationReport sweep(const OperationCheck& check, DeviceOperations& device, const CaseRange& range,
                      const CaseObserver& observer = {});

}  // namespace touchstone::check
