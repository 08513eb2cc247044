// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/backend.h"
#include "touchstone/conv2d_maxpool_sigmoid.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// How the tiled forward kernel of a block is launched. A "slot" is a window of one sample.
struct BlockForwardPlan {
  int kernel = 0;
  int pool = 0;
  int thread_filters = 0;     ///< filters a thread computes: 4 or 8
  int row_slots = 0;          ///< windows in a row of the tile
  int tile_rows = 0;          ///< rows of windows
  int samples = 0;            ///< samples of the tile
  int slots = 0;              ///< slots of the tile, rounded up to what one access of shared memory serves
  int filter_groups = 0;      ///< threads side by side in the direction of the filters
  int segments = 0;           ///< and in that of the channels: each adds every so many
  int chunk = 0;              ///< input channels in shared memory at a time
  int tile_columns_in = 0;    ///< input columns of the tile
  int phase_rows = 0;         ///< of the input rows of the tile those that are alike modulo the pool
  int pitch = 0;              ///< floats from one of them to the next
  int sample_pitch = 0;       ///< from one sample to the next
  int filter_pitch = 0;       ///< from one tap of the filter tile to the next
  int tiles_w = 0;            ///< tiles in a row of windows
  int tiles_h = 0;            ///< tiles in a column of windows
  bool vector_loads = false;  ///< input rows are read 16 bytes at a time
  dim3 grid;
  dim3 block;
  std::size_t shared_bytes = 0;

  [[nodiscard]] __host__ __device__ int tile_rows_in() const { return pool * tile_rows + kernel - 1; }
  [[nodiscard]] __host__ __device__ int tile_filters() const { return thread_filters * filter_groups; }
  [[nodiscard]] __host__ __device__ int channel_pitch() const { return samples * sample_pitch; }
  [[nodiscard]] __host__ __device__ int channel_floats() const {
    return channel_pitch() + kernel * kernel * filter_pitch;
  }
};

/// Whether the tiled kernels take this block: a square kernel of 1, 3, 5 or 7.
[[nodiscard]] bool block_is_tiled(const Conv2dMaxpoolSigmoidShape& shape);

/// The plan for a block that block_is_tiled(), with a batch that is not empty; `aligned` says that the input stands at
/// a multiple of 16 bytes.
[[nodiscard]] BlockForwardPlan plan_block_forward(const Conv2dMaxpoolSigmoidShape& shape, bool aligned);

/// conv2d_maxpool_sigmoid_forward for a block that block_is_tiled().
void block_forward_tiled(const Conv2dMaxpoolSigmoidShape& shape, const float* input, const float* filters,
                         const float* bias, float* output, std::uint8_t* argmax, cudaStream_t stream);

}  // namespace touchstone::TOUCHSTONE_BACKEND
