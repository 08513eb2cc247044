// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include <nvtx3/nvToolsExt.h>

#include "kernels/backend.h"
#include "touchstone/operation_recorder.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// Names what the host does between construction and destruction, for Nsight Systems; costs next to nothing without it.
class ProfilerRange {
 public:
  explicit ProfilerRange(const char* name) { nvtxRangePushA(name); }
  ProfilerRange(const ProfilerRange&) = delete;
  ProfilerRange& operator=(const ProfilerRange&) = delete;
  ~ProfilerRange() { nvtxRangePop(); }
};

/// Names an operation that is queued between construction and destruction, and times it where a recorder (not nullptr)
/// listens.
class OperationRange {
 public:
  OperationRange(OperationRecorder* recorder, std::string_view layer, const OperationCost& cost)
      : range_(cost.operation), scope_(recorder, layer, [&cost] { return cost; }) {}

 private:
  ProfilerRange range_;
  OperationScope scope_;
};

}  // namespace touchstone::TOUCHSTONE_BACKEND
