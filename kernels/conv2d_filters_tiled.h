// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/backend.h"
#include "touchstone/conv2d.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// How the tiled kernel of the filter gradient is launched. A "slot" is a row of taps of one channel, for some filters.
struct Conv2dFiltersPlan {
  int kernel = 0;
  int thread_filters = 0;   ///< filters a thread computes
  int filter_groups = 0;    ///< threads side by side in the direction of the filters: at most 8
  int tile_channels = 0;    ///< channels of the tile
  int slots = 0;            ///< threads that share one row of the output, rounded up to 8
  int segments = 0;         ///< rows that are worked on at a time, `slots` threads each
  int tile_rows = 0;        ///< output rows in shared memory at a time
  int tile_columns = 0;     ///< output columns in shared memory at a time, a multiple of 4
  int tile_columns_in = 0;  ///< input columns in shared memory
  int input_pitch = 0;      ///< floats from one row of the input tile to the next
  int input_plane = 0;      ///< from one channel to the next
  int gradient_plane = 0;   ///< floats from one filter of the gradient tile to the next; its pitch is tile_columns
  int tiles_w = 0;          ///< tiles in an output row
  int tiles_h = 0;          ///< tiles in an output column
  int filter_tiles = 0;     ///< blocks along the filters
  int channel_tiles = 0;    ///< blocks along the channels
  std::int64_t units = 0;   ///< tiles of all samples: what the sum runs over
  std::int64_t splits = 0;  ///< parts of the sum, a block each
  bool vector_loads = false;
  dim3 grid;
  dim3 block;
  std::size_t shared_bytes = 0;

  [[nodiscard]] __host__ __device__ int tile_filters() const { return thread_filters * filter_groups; }
  [[nodiscard]] __host__ __device__ int tile_rows_in() const { return tile_rows + kernel - 1; }
};

/// The plan for a convolution that conv2d_is_tiled() (kernels/conv2d_tiled.h); `aligned` says that input and gradient
/// stand at multiples of 16 bytes. `splits` does not depend on `aligned`.
[[nodiscard]] Conv2dFiltersPlan plan_conv2d_filters(const Conv2dShape& shape, bool aligned);

/// The first stage of the filter gradient: each block's sums to partials [splits,filters,channels,taps].
void conv2d_filters_tiled(const Conv2dShape& shape, const float* grad_output, const float* input, float* partials,
                          cudaStream_t stream);

}  // namespace touchstone::TOUCHSTONE_BACKEND
