// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "host/check/case_random.h"
#include "host/check/compare.h"
#include "host/check/outputs.h"
#include "touchstone/device_operations.h"

namespace touchstone::check {

/// One call of one operation on inputs of its own, and what must come of it.
class Trial {
 public:
  /// `name` says what kind of inputs it has: "exact", "bounded", "ties".
  explicit Trial(std::string name) : name_(std::move(name)) {}
  Trial(const Trial&) = delete;
  Trial& operator=(const Trial&) = delete;
  virtual ~Trial() = default;

  [[nodiscard]] const std::string& name() const { return name_; }
  /// Calls the operation on a device.
  [[nodiscard]] virtual Outputs run(DeviceOperations& device) const = 0;
  /// What the reference gives for each of the outputs, and how far the device's method may lead from it. Where rounding
  /// may decide between elements, the reference follows the choice that these outputs show.
  [[nodiscard]] virtual std::vector<Expected> expected(const Outputs& outputs,
                                                       const DeviceOperations& device) const = 0;
  /// A sentence on the property that the outputs lack; empty where they have all that are known.
  [[nodiscard]] virtual std::string violation(const Outputs& /*outputs*/) const { return {}; }

 private:
  std::string name_;
};

using Trials = std::vector<std::unique_ptr<Trial>>;

/// One shape of one operation, and the trials that it is put to.
struct Case {
  std::string shape;
  Trials trials;
};

/// How an operation is checked. Cases are numbered from 0, first those with a name; any number can be made.
struct OperationCheck {
  std::string_view operation;
  Case (*make_case)(std::int64_t index, CaseRandom& random);
};

}  // namespace touchstone::check
