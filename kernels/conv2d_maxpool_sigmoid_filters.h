// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/backend.h"
#include "touchstone/conv2d_maxpool_sigmoid.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// Filters that a thread of the filter gradient's kernel computes, and so the block.
inline constexpr int block_thread_filters = 8;

/// How the filter gradient of a block is launched. An "element" is a channel and tap.
struct BlockFiltersPlan {
  bool staged = false;      ///< the input goes through shared memory
  int thread_elements = 0;  ///< elements that a thread computes: 1, 2 or 4
  int tile_channels = 0;    ///< input channels of the block
  int element_threads = 0;  ///< threads side by side in the direction of the elements, whole warps
  int segments = 0;         ///< and in that of the windows: each adds every so many
  int tile_samples = 0;     ///< samples in shared memory at a time: several only where a tile has all windows of one
  int tile_rows = 0;        ///< rows of windows in shared memory at a time
  int tile_columns = 0;     ///< windows in such a row
  int row_lanes = 0;        ///< threads that copy a row of the input
  int pitch = 0;            ///< floats from one input row to the next
  int plane = 0;            ///< from one channel to the next
  int tiles_w = 0;          ///< tiles in a row of windows
  int tiles_h = 0;          ///< tiles in a column of windows
  int filter_tiles = 0;
  int channel_tiles = 0;
  std::int64_t units = 0;   ///< tiles of all samples: what the sum runs over
  std::int64_t splits = 0;  ///< parts of that sum
  dim3 grid;
  dim3 block;
  std::size_t shared_bytes = 0;
};

/// The plan for a batch that is not empty.
[[nodiscard]] BlockFiltersPlan plan_block_filters(const Conv2dMaxpoolSigmoidShape& shape);

/// The parts of the filter gradient's sum, [splits,filters,channels,taps].
void block_backward_filters_parts(const Conv2dMaxpoolSigmoidShape& shape, const float* grad_output, const float* output,
                                  const std::uint8_t* argmax, const float* input, float* partials, cudaStream_t stream);

}  // namespace touchstone::TOUCHSTONE_BACKEND
