// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "kernels/backend.h"
#include "kernels/handles.h"
#include "touchstone/operation_recorder.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// Times the operations of a stream by an event before and an event after each.
class EventRecorder final : public OperationRecorder {
 public:
  /// Times count from the work that is queued now.
  explicit EventRecorder(cudaStream_t stream);

  void begin(std::string_view layer, const OperationCost& cost) override;
  void end() noexcept override;

  /// Waits for the stream; what was timed.
  [[nodiscard]] std::vector<RecordedOperation> finish();

 private:
  struct Entry {
    RecordedOperation operation;
    Event before;
    Event after;
  };

  cudaStream_t stream_;
  Event origin_;
  std::vector<Entry> entries_;
};

}  // namespace touchstone::TOUCHSTONE_BACKEND
