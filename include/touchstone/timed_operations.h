// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>

#include "touchstone/operation_timer.h"

namespace touchstone {

/// Operations of a device that can be timed one by one.
class TimedOperations {
 public:
  TimedOperations() = default;
  TimedOperations(const TimedOperations&) = delete;
  TimedOperations& operator=(const TimedOperations&) = delete;
  virtual ~TimedOperations() = default;

  /// While there is a timer, each of the following calls, once it has run, hands it the operation to repeat on the
  /// tensors that are on the device by then; what is updated in place goes on changing. nullptr: no timer.
  void set_timer(OperationTimer* timer) { timer_ = timer; }

 protected:
  [[nodiscard]] OperationTimer* timer() const { return timer_; }

  /// Runs an operation, and has the timer repeat it by the clock: for devices that work on the host's arrays.
  template <class Operation>
  void run_by_clock(const Operation& operation) {
    operation();
    if (timer_ != nullptr) {
      timer_->time([&operation](std::int64_t runs) {
        const auto start = std::chrono::steady_clock::now();
        for (std::int64_t i = 0; i < runs; ++i) {
          operation();
        }
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      });
    }
  }

 private:
  OperationTimer* timer_ = nullptr;
};

}  // namespace touchstone
