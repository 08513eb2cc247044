// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/backend.h"
#include "kernels/geometry.h"
#include "touchstone/conv2d_maxpool_sigmoid.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// Pixels that a thread of the data gradient's kernel computes: a square of so many pools each way.
inline constexpr int block_data_pools = 2;

/// How the data gradient of a block is launched. A "patch" is a square of 2 * pool x 2 * pool pixels of one sample.
struct BlockDataPlan {
  int kernel = 0;
  int pool = 0;
  int patches_w = 0;  ///< patches in a row of the input
  int patches_h = 0;  ///< patches in a column
  int patches = 0;    ///< patches of the block, a warp and segment each
  int segments = 0;   ///< warps that share the filters of a patch: each adds every so many
  int chunk = 0;      ///< filters in shared memory at a time
  dim3 grid;
  dim3 block;
  std::size_t shared_bytes = 0;

  [[nodiscard]] __host__ __device__ int patch_side() const { return block_data_pools * pool; }
  /// Windows, each way, whose taps may reach a patch.
  [[nodiscard]] __host__ __device__ int reach() const {
    return block_data_pools - 1 + divide_up(kernel + pool - 1, pool);
  }
};

/// The plan for a block that block_is_tiled(), with a batch that is not empty.
[[nodiscard]] BlockDataPlan plan_block_data(const Conv2dMaxpoolSigmoidShape& shape);

/// conv2d_maxpool_sigmoid_backward_data for a block that block_is_tiled().
void block_backward_data_tiled(const Conv2dMaxpoolSigmoidShape& shape, const float* grad_output, const float* output,
                               const std::uint8_t* argmax, const float* filters, float* grad_input,
                               cudaStream_t stream);

}  // namespace touchstone::TOUCHSTONE_BACKEND
