// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/allocator.h"
#include "kernels/backend.h"
#include "touchstone/random.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// order[0 .. count-1] = shuffled_order(seed, purpose, epoch, count), on device memory: a stable sort of 0 .. count-1
/// by random keys. Waits for the stream; not to be captured.
void shuffle(std::uint64_t seed, RandomPurpose purpose, std::uint32_t epoch, std::uint32_t count, std::uint32_t* order,
             Allocator& allocator, cudaStream_t stream);

}  // namespace touchstone::TOUCHSTONE_BACKEND
