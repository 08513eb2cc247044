// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/backend.h"
#include "touchstone/conv2d.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// Whether the tiled kernels take this convolution: stride 1 and a square kernel of 1, 3, 5 or 7.
[[nodiscard]] bool conv2d_is_tiled(const Conv2dShape& shape);

/// Output columns that a thread of the tiled kernel computes: one 16-byte vector.
inline constexpr int conv2d_thread_columns = 4;

/// How the tiled kernel is launched. A "slot" is a vector of output columns in one row of one sample.
struct Conv2dTiledPlan {
  int kernel = 0;
  int thread_filters = 0;      ///< filters a thread computes: 4 or 8
  int row_slots = 0;           ///< slots in a row of the tile
  int tile_rows = 0;           ///< output rows of the tile
  int samples = 0;             ///< samples of the tile
  int slots = 0;               ///< slots of the tile, rounded up to 8 so that quarter-warps have one filter group
  int filter_groups = 0;       ///< threads side by side in the direction of the filters
  int chunk = 0;               ///< input channels in shared memory at a time
  int tile_columns_in = 0;     ///< input columns of the tile
  int pitch = 0;               ///< floats from one row of the input tile to the next
  int sample_pitch = 0;        ///< from one sample to the next
  int filter_pitch = 0;        ///< from one tap of the filter tile to the next
  int tiles_w = 0;             ///< tiles in an output row
  int tiles_h = 0;             ///< tiles in an output column
  bool vector_loads = false;   ///< input rows are read 16 bytes at a time
  bool vector_stores = false;  ///< output rows are written 16 bytes at a time
  dim3 grid;
  dim3 block;
  std::size_t shared_bytes = 0;

  [[nodiscard]] __host__ __device__ int tile_rows_in() const { return tile_rows + kernel - 1; }
  [[nodiscard]] __host__ __device__ int tile_filters() const { return thread_filters * filter_groups; }
  [[nodiscard]] __host__ __device__ int input_tile_floats() const { return chunk * samples * sample_pitch; }
  [[nodiscard]] __host__ __device__ int filter_tile_floats() const { return chunk * kernel * kernel * filter_pitch; }
};

/// The plan for a convolution that conv2d_is_tiled(); `aligned` says that input and output stand at multiples of 16
/// bytes.
[[nodiscard]] Conv2dTiledPlan plan_conv2d_tiled(const Conv2dShape& shape, bool aligned);

/// output = input convolved with filters, plus bias unless it is nullptr. With `flipped`, the filters are those of
/// the convolution whose data gradient this is: stored [channels,filters,taps], and turned by 180 degrees.
void conv2d_tiled(const Conv2dShape& shape, const float* input, const float* filters, const float* bias, float* output,
                  bool flipped, cudaStream_t stream);

/// The convolution that computes the data gradient of `shape` (stride 1) from the output's gradient.
[[nodiscard]] Conv2dShape conv2d_data_gradient_shape(const Conv2dShape& shape);

}  // namespace touchstone::TOUCHSTONE_BACKEND
