// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/backend.h"
#include "kernels/geometry.h"
#include "kernels/sigmoid_value.h"
#include "touchstone/conv2d_maxpool_sigmoid.h"

/// What the kernels of a block of convolution, max-pool and sigmoid share (formulas and layouts:
/// include/touchstone/conv2d_maxpool_sigmoid.h).
namespace touchstone::TOUCHSTONE_BACKEND {

/// A block's sizes as its kernels use them.
struct BlockSizes {
  std::int64_t batch;
  int channels;
  int height;
  int width;
  int filters;
  int kernel_h;
  int kernel_w;
  int pool;
  int out_h;  ///< windows in a column
  int out_w;  ///< windows in a row

  [[nodiscard]] __host__ __device__ int taps() const { return kernel_h * kernel_w; }
  [[nodiscard]] __host__ __device__ int windows() const { return out_h * out_w; }
  [[nodiscard]] __host__ __device__ int pixels() const { return height * width; }
};

/// Throws Error where something within a sample or a filter needs more than 32 bits.
inline BlockSizes block_sizes(const Conv2dMaxpoolSigmoidShape& shape) {
  const Conv2dShape& conv2d = shape.conv2d;
  narrow(conv2d.channels * conv2d.height * conv2d.width, "the input of a sample");
  narrow(conv2d.channels * conv2d.taps(), "channels * taps of a convolution");
  return BlockSizes{.batch = conv2d.batch,
                    .channels = static_cast<int>(conv2d.channels),
                    .height = static_cast<int>(conv2d.height),
                    .width = static_cast<int>(conv2d.width),
                    .filters = narrow(conv2d.filters, "the number of filters"),
                    .kernel_h = static_cast<int>(conv2d.kernel_h),
                    .kernel_w = static_cast<int>(conv2d.kernel_w),
                    .pool = static_cast<int>(shape.pool),
                    .out_h = static_cast<int>(shape.out_h()),
                    .out_w = static_cast<int>(shape.out_w())};
}

#if defined(__CUDACC__) || defined(TOUCHSTONE_EMULATED)

/// The largest element of a window, and its position a * pool + b.
struct Pooled {
  float value;
  int position;
};

/// Of equal elements the first in scan order; a later one wins only where it is greater.
template <int POOL>
__device__ __forceinline__ Pooled pool_window(const float (&window)[POOL * POOL], float bias) {
  Pooled best{window[0] + bias, 0};
#pragma unroll
  for (int position = 1; position < POOL * POOL; ++position) {
    const float value = window[position] + bias;
    if (value > best.value) {
      best = {value, position};
    }
  }
  return best;
}

#endif

}  // namespace touchstone::TOUCHSTONE_BACKEND
