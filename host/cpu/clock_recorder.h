// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string_view>
#include <vector>

#include "touchstone/operation_recorder.h"

namespace touchstone::cpu {

/// Times the operations of one thread by the clock.
class ClockRecorder final : public OperationRecorder {
 public:
  using Clock = std::chrono::steady_clock;

  /// `lane` is the thread's number; times count from `origin`.
  ClockRecorder(int lane, Clock::time_point origin) : lane_(lane), origin_(origin) {}

  void begin(std::string_view layer, const OperationCost& cost) override;
  void end() noexcept override;

  /// What was timed.
  [[nodiscard]] const std::vector<RecordedOperation>& records() const { return records_; }

 private:
  int lane_;
  Clock::time_point origin_;
  Clock::time_point started_;
  std::vector<RecordedOperation> records_;
};

}  // namespace touchstone::cpu
