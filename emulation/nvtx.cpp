// SPDX-License-Identifier: Apache-2.0
#include "emulation/device_state.h"
#include "emulation/include/nvtx3/nvToolsExt.h"

namespace touchstone::emulation::runtime {
namespace {

int close_range() {
  Device& device = Device::get();
  int left = -1;
  device.guarded_release([&] {
    if (device.ranges == 0) {
      throw Defect{cudaErrorInvalidValue, "a profiling range was closed that had not been opened"};
    }
    left = --device.ranges;
  });
  return left;
}

int open_range() {
  Device& device = Device::get();
  const std::lock_guard guard(device.lock);
  return device.ranges++;
}

}  // namespace

int nvtxRangePushA(const char* /*message*/) { return open_range(); }

int nvtxRangePop() { return close_range(); }

nvtxRangeId_t nvtxRangeStartA(const char* /*message*/) { return static_cast<nvtxRangeId_t>(open_range()) + 1; }

void nvtxRangeEnd(nvtxRangeId_t /*range*/) { close_range(); }

void nvtxMarkA(const char* /*message*/) {}

}  // namespace touchstone::emulation::runtime
