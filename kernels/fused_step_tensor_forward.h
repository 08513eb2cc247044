// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/backend.h"
#include "kernels/fused_step_forward.h"
#include "kernels/fused_step_shape.h"
#include "kernels/fused_step_workspace.h"
#include "kernels/sigmoid_value.h"
#include "kernels/tensor_core.h"
#include "kernels/vector_access.h"

/// The forward stages of the fused step whose products tensor cores take: as kernels/fused_step_forward.h, with tensors
/// as TensorBlock has them. A convolution is a product of matrices, of filters and positions of the output; its terms
/// are the taps of all channels. Factors lie in shared memory so that each access brings what a product takes in
/// neighbouring registers, and different lanes read from different banks.
namespace touchstone::TOUCHSTONE_BACKEND {

/// A thread in a stage: its warp, and its part of a product (kernels/tensor_core.h).
struct TensorLane {
  int thread = thread_index();
  int warp = thread / warp_size;
  int line = thread % warp_size / 4;  ///< l/4
  int term = thread % 4;              ///< l%4
};

/// Pools a window of one filter, applies the sigmoid, and keeps argmax and output.
__device__ __forceinline__ void finish_tensor_window(const FusedBlock& block, const FusedWorkspace& work, int filter,
                                                     int window, const float (&sums)[tensor_positions]) {
  const auto [largest, argmax] = pool_window(sums, work.packed[block.bias_at + filter]);
  work.offsets[block.tensor.argmax_at + window * block.filters + filter] = static_cast<std::uint16_t>(argmax);
  const float output = sigmoid_value(largest);
  if (block.tensor.out_pixel == 0) {
    work.activations[block.output_at + filter * block.windows() + window] = output;
    return;
  }
  const int i = window / block.by_out_w;
  const int j = window - i * block.out_w;
  const SplitFloat parts = split(output);
  float* target = work.activations + block.output_at + i * block.out_pitch + j * block.tensor.out_pixel + filter;
  target[0] = parts.high;
  target[block.tensor.low] = parts.low;
}

/// The first block, whole. Rows of a product are positions, columns filters. Warp: eight windows of eight filters, of
/// which a lane has all four positions: two products, of the rows above and below; neighbours are rows l/4 and l/4 + 8.
__device__ __forceinline__ void tensor_forward_first(const FusedBlock& block, const FusedWorkspace& work) {
  const TensorLane lane;
  const int windows = block.windows();
  const int tiles = block.tensor.by_forward_tiles.value;  // of windows
  const int filter_tiles = block.filters / 8;
  for (int item = lane.warp; item < tiles * filter_tiles; item += tensor_warps) {
    const int filter_tile = item / block.tensor.by_forward_tiles;
    const int window = (item - filter_tile * tiles) * tensor_first_windows + lane.line;
    const int i = min(window, windows - 1) / block.by_out_w;
    const int j = min(window, windows - 1) - i * block.out_w;
    const float* image = work.activations + block.input_at + 2 * i * block.pitch + 2 * j;
    const float* filters =
        work.packed + block.filters_at + block.first_filter_place(8 * filter_tile + lane.line, lane.term);

    TensorSums sums[2] = {};
#pragma unroll 4
    for (int tile = 0; tile < block.tensor.term_tiles; ++tile) {
      const float4 weights = load4(filters + tile * filter_tiles * 128);
      const TensorColumn column{{weights.x, weights.y}, {weights.z, weights.w}};
      const float* term = image + work.tap_offsets[8 * tile + lane.term];
      const float* other = image + work.tap_offsets[8 * tile + lane.term + 4];
#pragma unroll
      for (int y = 0; y < 2; ++y) {
        const TensorColumn of_term = load_column(term + y * block.pitch, block.tensor.low);
        const TensorColumn of_other = load_column(other + y * block.pitch, block.tensor.low);
        add_tensor_product(sums[y],
                           {{of_term.high[0], of_term.high[1], of_other.high[0], of_other.high[1]},
                            {of_term.low[0], of_term.low[1], of_other.low[0], of_other.low[1]}},
                           column);
      }
    }
    if (window < windows) {
#pragma unroll
      for (int f = 0; f < 2; ++f) {
        const float of_filter[tensor_positions] = {sums[0][f], sums[0][f + 2], sums[1][f], sums[1][f + 2]};
        finish_tensor_window(block, work, 8 * filter_tile + 2 * lane.term + f, window, of_filter);
      }
    }
  }
}

/// Two vectors of the same filters' weights, high and low, as a product's rows.
[[nodiscard]] __device__ __forceinline__ TensorRows load_filter_rows(const float* filters) {
  const float4 high = load4(filters);
  const float4 low = load4(filters + FusedBlock::filter_low);
  return {{high.x, high.y, high.z, high.w}, {low.x, low.y, low.z, low.w}};
}

/// The pre-activations of any other block, over shares of the terms: to the scratch. Rows of a product are filters,
/// columns positions. Warp: four windows of sixteen filters; two products, of the positions above and below.
template <int KERNEL>
__device__ __forceinline__ void tensor_forward(const FusedBlock& block, const FusedWorkspace& work) {
  const TensorLane lane;
  const int last_window = block.windows() - 1;
  const int tiles = block.tensor.by_forward_tiles.value;  // of windows and filters
  const int window_tiles = block.tensor.by_window_tiles.value;
  const int filter_tiles = block.filters / tensor_filters;
  for (int item = lane.warp; item < tiles * block.forward_splits; item += tensor_warps) {
    const int part = item / block.tensor.by_forward_tiles;
    const int tile = item - part * tiles;
    const int filter_tile = tile / block.tensor.by_window_tiles;
    const int first_window = (tile - filter_tile * window_tiles) * tensor_windows;
    const int window = min(first_window + lane.line / 2, last_window);
    const int i = window / block.by_out_w;
    const int j = window - i * block.out_w;
    const float* image = work.activations + block.input_at + 2 * i * block.pitch +
                         (2 * j + lane.line % 2) * block.tensor.pixel + 2 * lane.term;
    const int next_row = block.pitch - KERNEL * block.tensor.pixel;  // from behind a row of taps
    const float* filters =
        work.packed + block.filters_at + block.filter_place(tensor_filters * filter_tile + lane.line, 2 * lane.term, 0);

    TensorSums sums[2] = {};
    const int first = part * block.tensor.forward_share;
#pragma unroll 8
    for (int n = 0; n < block.tensor.forward_share; ++n) {
      const int terms = first + n;
      if (terms >= block.tensor.term_tiles) {
        break;  // of the last part
      }
      const int tap = terms / block.tensor.by_channel_tiles;
      const int p = static_cast<int>(static_cast<unsigned>(tap) / KERNEL);
      const float* x =
          image + tap * block.tensor.pixel + p * next_row + (terms - tap * block.tensor.by_channel_tiles.value) * 8;
      const TensorRows rows = load_filter_rows(filters + terms * filter_tiles * 2 * FusedBlock::filter_low);
      add_tensor_product(sums[0], rows, load_column(x, block.tensor.low));
      add_tensor_product(sums[1], rows, load_column(x + block.pitch, block.tensor.low));
    }
    // Of the sums a lane has both positions of a row of a window, whose number is its term's.
    if (first_window + lane.term <= last_window) {
      float* target = work.scratch + (part * block.windows() + first_window + lane.term) * block.tensor.window_pitch +
                      (tensor_filters * filter_tile + lane.line) * tensor_positions;
      store4(target, make_float4(sums[0][0], sums[0][1], sums[1][0], sums[1][1]));
      store4(target + 8 * tensor_positions, make_float4(sums[0][2], sums[0][3], sums[1][2], sums[1][3]));
    }
  }
}

/// Adds what tensor_forward() has put into the scratch. Thread: a window of a filter.
__device__ __forceinline__ void combine_tensor_forward(const FusedBlock& block, const FusedWorkspace& work) {
  for (int item = thread_index(); item < block.windows() * block.filters; item += fused_threads) {
    const int window = item / block.by_filters;
    const int filter = item - window * block.filters;
    float4 sum = make_float4(0.0F, 0.0F, 0.0F, 0.0F);
#pragma unroll 4
    for (int part = 0; part < block.forward_splits; ++part) {
      sum = add4(sum, load4(work.scratch + (part * block.windows() + window) * block.tensor.window_pitch +
                            filter * tensor_positions));
    }
    const float sums[tensor_positions] = {sum.x, sum.y, sum.z, sum.w};
    finish_tensor_window(block, work, filter, window, sums);
  }
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
