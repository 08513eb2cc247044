// SPDX-License-Identifier: Apache-2.0
#pragma once

/// Stands in for NVTX's header of this name: ranges are counted, so that one left open or closed twice is seen
/// (touchstone::emulation::open_ranges), and shown to nobody.

#include <cstdint>

// NOLINTBEGIN(readability-identifier-naming): these are NVTX's names
namespace touchstone::emulation::runtime {

using nvtxRangeId_t = std::uint64_t;

/// The number of ranges that were open before.
int nvtxRangePushA(const char* message);
/// The number of ranges that are still open, negative where none was.
int nvtxRangePop();
nvtxRangeId_t nvtxRangeStartA(const char* message);
void nvtxRangeEnd(nvtxRangeId_t range);
void nvtxMarkA(const char* message);

}  // namespace touchstone::emulation::runtime
// NOLINTEND(readability-identifier-naming)

using namespace touchstone::emulation::runtime;  // NOLINT(google-global-names-in-headers)
