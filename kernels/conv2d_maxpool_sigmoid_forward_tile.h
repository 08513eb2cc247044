// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/conv2d_maxpool_sigmoid_device.h"
#include "kernels/conv2d_maxpool_sigmoid_forward.h"
#include "kernels/vector_access.h"

/// The way of input and filters into the tiles of conv2d_maxpool_sigmoid_forward.cu, in shared memory.
namespace touchstone::TOUCHSTONE_BACKEND {

/// Floats of a 16-byte access.
inline constexpr int block_vector_floats = 4;
/// Taps of a filter that neighbouring threads read: 32 bytes.
inline constexpr int block_load_columns = 8;

/// What the tiled forward kernel of a block works on.
struct BlockForwardArguments {
  BlockForwardPlan plan;
  BlockSizes sizes;
  const float* input;    // [batch,channels,height,width]
  const float* filters;  // [filters,channels,taps]
  const float* bias;     // [filters] or nullptr
  float* output;         // [batch,filters,out_h,out_w]
  std::uint8_t* argmax;  // the same
};

/// Where a block's tile begins.
struct BlockForwardOrigin {
  std::int64_t sample;
  int row;     // of windows
  int column;  // of windows
  int filter;
};

__device__ __forceinline__ BlockForwardOrigin block_forward_origin(const BlockForwardPlan& plan) {
  const unsigned tiles_w = static_cast<unsigned>(plan.tiles_w);
  const unsigned tiles_h = static_cast<unsigned>(plan.tiles_h);
  BlockForwardOrigin origin;
  origin.column = static_cast<int>(blockIdx.x % tiles_w) * plan.row_slots;
  origin.row = static_cast<int>(blockIdx.x / tiles_w % tiles_h) * plan.tile_rows;
  origin.sample = static_cast<std::int64_t>(blockIdx.x / tiles_w / tiles_h) * plan.samples;
  origin.filter = static_cast<int>(blockIdx.y) * plan.tile_filters();
  return origin;
}

/// One row of the input tile: `lanes` threads copy it, each WIDTH floats at a time; zeros outside the image. With WIDTH
/// 4 a vector lies wholly inside or outside (the width is a multiple of 4, the tile's column too).
template <int POOL, int WIDTH>
__device__ __forceinline__ void load_block_row(const float* source, int columns, int inside, int lane, int lanes,
                                               float* target) {
  for (int x = lane * WIDTH; x < columns; x += lanes * WIDTH) {
    if constexpr (WIDTH == 1) {
      target[x] = x < inside ? source[x] : 0.0F;
    } else {
      const float4 v = x < inside ? load4(source + x) : make_float4(0.0F, 0.0F, 0.0F, 0.0F);
      if constexpr (POOL == 2) {
        store_vector(target + x, make_float2(v.x, v.y));
        store_vector(target + x + 2, make_float2(v.z, v.w));
      } else {
        target[x] = v.x;
        target[x + 1] = v.y;
        target[x + 2] = v.z;
        target[x + 3] = v.w;
      }
    }
  }
}

/// Channels first_channel .. first_channel + count of the input under the tile, as
/// [channel][sample][phase][row][pitch]: row y of the tile is row y / pool of phase y % pool.
template <int POOL, int WIDTH>
__device__ __forceinline__ void load_block_input(const BlockForwardArguments& a, const BlockForwardOrigin& origin,
                                                 int first_channel, int count, float* tile) {
  constexpr int lanes = WIDTH == block_vector_floats ? warp_size / block_vector_floats : warp_size;
  const BlockForwardPlan& plan = a.plan;
  const BlockSizes& s = a.sizes;
  const int thread = static_cast<int>(threadIdx.x);
  const int rows_in = plan.tile_rows_in();
  const int rows = count * plan.samples * rows_in;
  const int column = origin.column * POOL;
  for (int index = thread / lanes; index < rows; index += static_cast<int>(blockDim.x) / lanes) {
    const int plane = index / rows_in;
    const int tile_row = index - plane * rows_in;
    const int channel = plane / plan.samples;
    const int tile_sample = plane - channel * plan.samples;
    const std::int64_t sample = origin.sample + tile_sample;
    const int y = origin.row * POOL + tile_row;
    const bool inside = sample < s.batch && y < s.height;
    const std::int64_t offset = ((sample * s.channels + first_channel + channel) * s.height + y) * s.width + column;
    float* target =
        tile + plane * plan.sample_pitch + (tile_row % POOL * plan.phase_rows + tile_row / POOL) * plan.pitch;
    load_block_row<POOL, WIDTH>(a.input + (inside ? offset : 0), plan.tile_columns_in, inside ? s.width - column : 0,
                                thread % lanes, lanes, target);
  }
}

/// The same channels of the tile's filters, as [channel and tap][filter]: a transposition. Neighbouring threads read 8
/// neighbouring floats of 4 filters, and write to 32 banks.
__device__ __forceinline__ void load_block_filters(const BlockForwardArguments& a, int first_filter, int first_channel,
                                                   int count, float* tile) {
  const int taps = a.sizes.taps();
  const int total = count * taps;
  const int tile_filters = a.plan.tile_filters();
  const int lanes = static_cast<int>(blockDim.x) / block_load_columns;
  const int lane = static_cast<int>(threadIdx.x) / block_load_columns;
  const int stripes = max(1, lanes / tile_filters);  // threads that share a filter, in groups of block_load_columns
  const int stripe = lane / tile_filters;
  if (stripe >= stripes && stripe > 0) {
    return;
  }
  for (int f = lane - stripe * tile_filters; f < tile_filters; f += lanes) {
    const int filter = first_filter + f;
    const bool exists = filter < a.sizes.filters;
    const std::int64_t offset = (std::int64_t{filter} * a.sizes.channels + first_channel) * taps;
    const float* source = a.filters + (exists ? offset : 0);
    const int first = stripe * block_load_columns + static_cast<int>(threadIdx.x) % block_load_columns;
#pragma unroll 4
    for (int e = first; e < total; e += stripes * block_load_columns) {
      tile[e * a.plan.filter_pitch + f] = exists ? source[e] : 0.0F;
    }
  }
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
