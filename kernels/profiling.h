// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nvtx3/nvToolsExt.h>

#include "kernels/backend.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// Names what the host does between construction and destruction, for Nsight Systems; costs next to nothing without it.
class ProfilerRange {
 public:
  explicit ProfilerRange(const char* name) { nvtxRangePushA(name); }
  ProfilerRange(const ProfilerRange&) = delete;
  ProfilerRange& operator=(const ProfilerRange&) = delete;
  ~ProfilerRange() { nvtxRangePop(); }
};

}  // namespace touchstone::TOUCHSTONE_BACKEND
