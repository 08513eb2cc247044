// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/backend.h"
#include "kernels/geometry.h"
#include "touchstone/conv2d_maxpool_sigmoid.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// Channels of a block of the data gradient's kernel, and windows that a warp works on at a time.
inline constexpr int block_data_channels = 8;
inline constexpr int block_data_warp_windows = 4;

/// How the data gradient's kernel keeps a channel's taps in shared memory: in a square with a border of pool - 1 zeros,
/// row by row, the border to the right being that to the left of the next row. Where the pool is 2, the lanes of a warp
/// (8 channels, 4 windows) read different banks: the first of a window's taps are 0, 1, pitch or pitch + 1 floats
/// apart, which are different modulo 4, and channels a multiple of 4 that is different modulo 32.
struct BlockTapLayout {
  int pitch;  ///< floats from a row to the next
  int plane;  ///< from a channel to the next
};

[[nodiscard]] __host__ __device__ constexpr BlockTapLayout block_tap_layout(int kernel, int pool) {
  const int columns = kernel + pool - 1;
  const int pitch = pool == 2 ? columns + 3 - (columns + 1) % 4 : columns;  // 2 modulo 4
  const int last = (kernel + 2 * pool - 3) * (pitch + 1);
  return {pitch, last + 8 - (last + 4) % 8};  // 4 modulo 8
}

/// How the data gradient of a block is launched. A "pool" here is a square of pool x pool pixels of the input, as many
/// as a window has; a tile is a rectangle of them in one sample.
struct BlockDataPlan {
  int kernel = 0;
  int pool = 0;
  int tile_h = 0;    ///< pools in a column of a tile
  int tile_w = 0;    ///< pools in a row
  int tiles_h = 0;   ///< tiles in a column of the input
  int tiles_w = 0;   ///< tiles in a row
  int rows = 0;      ///< rows of windows that may reach a tile, at most
  int columns = 0;   ///< columns of them
  int samples = 0;   ///< samples of the block, a tile of each
  int slots = 0;     ///< windows of the block, rounded up to whole warps
  int segments = 0;  ///< threads that share the filters of a window and channel: each adds every so many
  int chunk = 0;     ///< filters in shared memory at a time
  dim3 grid;
  dim3 block;
  std::size_t shared_bytes = 0;

  /// Windows, each way, whose taps may reach a pool.
  [[nodiscard]] __host__ __device__ int reach() const { return divide_up(kernel + pool - 1, pool); }
};

/// The plan for a block that block_is_tiled(), with a batch that is not empty.
[[nodiscard]] BlockDataPlan plan_block_data(const Conv2dMaxpoolSigmoidShape& shape);

/// conv2d_maxpool_sigmoid_backward_data for a block that block_is_tiled().
void block_backward_data_tiled(const Conv2dMaxpoolSigmoidShape& shape, const float* grad_output, const float* output,
                               const std::uint8_t* argmax, const float* filters, float* grad_input,
                               cudaStream_t stream);

}  // namespace touchstone::TOUCHSTONE_BACKEND
