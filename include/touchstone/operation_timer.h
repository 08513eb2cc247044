// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>

namespace touchstone {

/// Decides how often an operation is repeated, and keeps the times.
class OperationTimer {
 public:
  /// Runs the operation so many times in a row, on tensors that are on the device and stay there; the seconds from the
  /// first's beginning to the last's end, as the device measures them.
  using Repeat = std::function<double(std::int64_t runs)>;

  OperationTimer() = default;
  OperationTimer(const OperationTimer&) = delete;
  OperationTimer& operator=(const OperationTimer&) = delete;
  virtual ~OperationTimer() = default;

  virtual void time(const Repeat& repeat) = 0;
};

}  // namespace touchstone
