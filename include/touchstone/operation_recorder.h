// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "touchstone/operation_cost.h"

namespace touchstone {

/// An operation of a training step that was timed.
struct RecordedOperation {
  OperationCost cost;  ///< its name, and what it had to do
  std::string layer;   ///< "conv1"; empty for what belongs to no layer
  int lane = 0;        ///< what it ran on, where several run at a time: the number of the thread
  double begin = 0;    ///< seconds since the recording began
  double seconds = 0;
};

/// Times operations that follow each other on one thread or stream.
class OperationRecorder {
 public:
  OperationRecorder() = default;
  OperationRecorder(const OperationRecorder&) = delete;
  OperationRecorder& operator=(const OperationRecorder&) = delete;
  virtual ~OperationRecorder() = default;

  /// What runs from now on, until end().
  virtual void begin(std::string_view layer, const OperationCost& cost) = 0;
  virtual void end() noexcept = 0;
};

/// The time from construction to destruction belongs to an operation. Without a recorder (nullptr) nothing happens, and
/// `cost`, which is called for the operation's cost, is not called.
class OperationScope {
 public:
  template <class MakeCost>
  OperationScope(OperationRecorder* recorder, std::string_view layer, const MakeCost& cost) : recorder_(recorder) {
    if (recorder_ != nullptr) {
      recorder_->begin(layer, cost());
    }
  }
  OperationScope(const OperationScope&) = delete;
  OperationScope& operator=(const OperationScope&) = delete;
  ~OperationScope() {
    if (recorder_ != nullptr) {
      recorder_->end();
    }
  }

 private:
  OperationRecorder* recorder_;
};

}  // namespace touchstone
