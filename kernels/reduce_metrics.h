// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <limits>

#include "kernels/allocator.h"
#include "kernels/backend.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// Sums over the samples of a run of steps.
struct SampleMetrics {
  static constexpr std::int64_t none = std::numeric_limits<std::int64_t>::max();

  double loss_sum = 0;
  std::int64_t correct = 0;
  std::int64_t first_non_finite = none;  ///< the first sample whose loss is NaN or infinite
};

/// Sums losses [count] in double precision and counts correct [count], both in device memory, in an order that depends
/// on `count` and the device alone. Waits for the stream; not to be captured. `losses` may be nullptr: all zeros.
[[nodiscard]] SampleMetrics reduce_metrics(std::int64_t count, const float* losses, const std::uint8_t* correct,
                                           Allocator& allocator, cudaStream_t stream);

}  // namespace touchstone::TOUCHSTONE_BACKEND
