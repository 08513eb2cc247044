// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/backend.h"
#include "kernels/step.h"
#include "touchstone/gather.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// As reference::gather in float32, on device memory: the very same values; queued on `stream`. `indices` is the order
/// of a whole run of steps, of which the batch begins at cursor->sample (at 0 without a cursor).
void gather(const GatherShape& shape, const std::uint8_t* pixels, const std::uint8_t* labels,
            const std::uint32_t* indices, const PixelScale& scale, float* images, std::uint8_t* batch_labels,
            const StepCursor* cursor, cudaStream_t stream);

}  // namespace touchstone::TOUCHSTONE_BACKEND
