// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/backend.h"
#include "kernels/fused_step_shape.h"
#include "kernels/fused_step_tensor_forward.h"
#include "kernels/fused_step_workspace.h"
#include "kernels/row_lanes.h"
#include "kernels/sigmoid_value.h"
#include "kernels/tensor_core.h"
#include "kernels/vector_access.h"

/// The backward stages of the fused step whose products tensor cores take; as kernels/fused_step_tensor_forward.h. The
/// gradient of a convolution's output is there in full, zeros beside the argmax included: tensor cores multiply these
/// faster than other units find the rest.
namespace touchstone::TOUCHSTONE_BACKEND {

/// The place of a window's first position among the deltas of a block.
[[nodiscard]] __device__ __forceinline__ int delta_place(const FusedBlock& block, int window) {
  const int i = window / block.by_out_w;
  const int j = window - i * block.out_w;
  return 2 * i * block.tensor.delta_row + 2 * j * block.tensor.delta_pixel;
}

/// The offset of a position of a window from its first one, and the same of the input.
[[nodiscard]] __device__ __forceinline__ int delta_offset(const FusedBlock& block, int position) {
  return position / 2 * block.tensor.delta_row + position % 2 * block.tensor.delta_pixel;
}
[[nodiscard]] __device__ __forceinline__ int input_offset(const FusedBlock& block, int position, int pixel) {
  return position / 2 * block.pitch + position % 2 * pixel;
}

/// Where a window's deltas are written. Neighbouring windows write their positions in different orders, and so to
/// different banks: as the n-th that of number n ^ first.
struct DeltaWindow {
  float* target;  ///< of position `first`
  int first;
  int across;  ///< from there to the other position of the row
  int down;    ///< and to that of the column

  __device__ __forceinline__ DeltaWindow(const FusedBlock& block, const FusedWorkspace& work, int filter, int window)
      : first(window % tensor_positions) {
    const int odd_x = first % 2;
    const int odd_y = first / 2;
    target = work.deltas + block.deltas_at + delta_place(block, window) + filter + odd_x * block.tensor.delta_pixel +
             odd_y * block.tensor.delta_row;
    across = odd_x != 0 ? -block.tensor.delta_pixel : block.tensor.delta_pixel;
    down = odd_y != 0 ? -block.tensor.delta_row : block.tensor.delta_row;
  }
  [[nodiscard]] __device__ __forceinline__ float* nth(int n) const { return target + n % 2 * across + n / 2 * down; }
};

/// Keeps the delta of a window of one filter: at its argmax, and zeros beside it.
__device__ __forceinline__ void store_tensor_delta(const FusedBlock& block, const FusedWorkspace& work, int filter,
                                                   int window, float delta) {
  const DeltaWindow at(block, work, filter, window);
  const int argmax = work.offsets[block.tensor.argmax_at + window * block.filters + filter] ^ at.first;
  const SplitFloat parts = split(delta);
#pragma unroll
  for (int n = 0; n < tensor_positions; ++n) {
    at.nth(n)[0] = argmax == n ? parts.high : 0.0F;
    at.nth(n)[block.tensor.delta_low] = argmax == n ? parts.low : 0.0F;
  }
}

/// The same of four neighbouring filters.
__device__ __forceinline__ void store_tensor_deltas(const FusedBlock& block, const FusedWorkspace& work, int filter,
                                                    int window, const float4& deltas) {
  const DeltaWindow at(block, work, filter, window);
  const auto argmax = load_vector<ushort4>(work.offsets + block.tensor.argmax_at + window * block.filters + filter);
  const SplitFloat x = split(deltas.x);
  const SplitFloat y = split(deltas.y);
  const SplitFloat z = split(deltas.z);
  const SplitFloat w = split(deltas.w);
#pragma unroll
  for (int n = 0; n < tensor_positions; ++n) {
    const int position = n ^ at.first;
    store4(at.nth(n), make_float4(argmax.x == position ? x.high : 0.0F, argmax.y == position ? y.high : 0.0F,
                                  argmax.z == position ? z.high : 0.0F, argmax.w == position ? w.high : 0.0F));
    store4(at.nth(n) + block.tensor.delta_low,
           make_float4(argmax.x == position ? x.low : 0.0F, argmax.y == position ? y.low : 0.0F,
                       argmax.z == position ? z.low : 0.0F, argmax.w == position ? w.low : 0.0F));
  }
}

/// The sum over the four lanes of a line, the same in each.
[[nodiscard]] __device__ __forceinline__ float line_sum(float value) {
  value += __shfl_xor_sync(full_warp, value, 1);
  return value + __shfl_xor_sync(full_warp, value, 2);
}

/// One value of each of two terms for two rows.
[[nodiscard]] __device__ __forceinline__ TensorRows load_rows(const float* term, const float* other, int second_row,
                                                              int low) {
  return {{term[0], term[second_row], other[0], other[second_row]},
          {term[low], term[low + second_row], other[low], other[low + second_row]}};
}

/// One value of each of two terms for a column.
[[nodiscard]] __device__ __forceinline__ TensorColumn load_terms(const float* term, const float* other, int low) {
  return {{term[0], other[0]}, {term[low], other[low]}};
}

/// The gradients of the first block's filters and bias, over shares of the windows: to the scratch, as of
/// block_backward_filters(). Rows of a product are terms of the filters' sums, columns filters, its terms positions of
/// two windows side by side. Warp: 32 terms of eight filters, over some of the windows in two columns.
__device__ __forceinline__ void tensor_backward_first_filters(const FusedBlock& block, const FusedWorkspace& work) {
  const TensorLane lane;
  const int terms = block.channels * block.taps();
  const int filter_tiles = block.filters / 8;
  const int tiles = divide_up(terms, tensor_warp_terms) * filter_tiles;
  for (int item = lane.warp; item < tiles * block.filter_splits; item += tensor_warps) {
    const int split_index = item / tiles;
    const int tile = item - split_index * tiles;
    const int first_term = tile / filter_tiles * tensor_warp_terms;
    const int first_filter = tile % filter_tiles * 8;
    const int row_part = split_index / block.tensor.by_window_pairs;
    const int pair = split_index - row_part * block.tensor.by_window_pairs.value;
    const int first_row = row_part * block.filter_share;

    // Term t of a product is position t of a window, term t + 4 that of the next one, where there is one.
    const bool has_next = 2 * pair + 1 < block.out_w;
    const int next = has_next ? 2 : 0;
    const float* image =
        work.activations + block.input_at + 2 * first_row * block.pitch + 4 * pair + input_offset(block, lane.term, 1);
    const float* upper[2];
    const float* lower[2];
#pragma unroll
    for (int n = 0; n < 2; ++n) {
      upper[n] = image + work.tap_offsets[first_term + 16 * n + lane.line];
      lower[n] = image + work.tap_offsets[first_term + 16 * n + lane.line + 8];
    }
    const float* deltas =
        work.deltas + block.deltas_at + 2 * first_row * block.tensor.delta_row + first_filter + lane.line;
    const float* other = deltas + (has_next ? (4 * pair + 2) * block.tensor.delta_pixel + delta_offset(block, lane.term)
                                            : block.tensor.zero_pixel);
    deltas += 4 * pair * block.tensor.delta_pixel + delta_offset(block, lane.term);

    TensorSums sums[2] = {};
    float bias = 0.0F;
    const int rows =
        block.out_h % block.filter_share == 0 ? block.filter_share : min(block.filter_share, block.out_h - first_row);
#pragma unroll 6
    for (int i = 0; i < rows; ++i) {
      const int y = 2 * i * block.pitch;
      const int low = block.tensor.low;
      const int delta_y = 2 * i * block.tensor.delta_row;
      const TensorColumn column = load_terms(deltas + delta_y, other + delta_y, block.tensor.delta_low);
#pragma unroll
      for (int n = 0; n < 2; ++n) {
        const float* u = upper[n] + y;
        const float* l = lower[n] + y;
        add_tensor_product(sums[n], {{u[0], l[0], u[next], l[next]}, {u[low], l[low], u[low + next], l[low + next]}},
                           column);
      }
      bias += (column.high[0] + column.low[0]) + (column.high[1] + column.low[1]);
    }
    bias = line_sum(bias);
    float* part = work.scratch + block.filter_parts_at + split_index * block.filter_part_floats();
#pragma unroll
    for (int n = 0; n < 2; ++n) {
#pragma unroll
      for (int f = 0; f < 4; ++f) {
        const int term = first_term + 16 * n + f / 2 * 8 + lane.line;
        if (term < terms) {
          part[(first_filter + 2 * lane.term + f % 2) * terms + term] = sums[n][f];
        }
      }
    }
    if (first_term == 0 && lane.term == 0) {
      part[block.bias_part_at() + first_filter + lane.line] = bias;
    }
  }
}

/// The same of any other block, by the last block.filter_threads threads, over chunks of its windows. Rows of a product
/// are filters, columns channels. Warp: sixteen filters and eight channels, some taps one after another; the deltas of
/// the chunk stay in its registers.
template <int KERNEL>
__device__ __forceinline__ void tensor_backward_filters(const FusedBlock& block, const FusedWorkspace& work) {
  constexpr int taps = KERNEL * KERNEL;
  constexpr int pairs = tensor_chunk_windows / 2;
  const TensorLane lane;
  const int channel_tiles = block.tensor.by_channel_tiles.value;
  const int filter_tiles = block.filters / tensor_filters;
  const int warps = block.filter_threads / warp_size;
  const int first_warp = tensor_warps - warps;
  for (int chunk = 0; chunk < block.filter_splits; ++chunk) {
    for (int item = lane.warp - first_warp; item >= 0 && item < channel_tiles * filter_tiles * block.tensor.tap_splits;
         item += warps) {
      const int plane = item / block.tensor.by_tap_splits;
      const int tap_split = item - plane * block.tensor.tap_splits;
      const int filter_tile = plane / block.tensor.by_channel_tiles;
      const int first_filter = filter_tile * tensor_filters;
      const int first_channel = (plane - filter_tile * channel_tiles) * 8;

      // Term t of a product is position t of a window, term t + 4 that of the next one.
      const float* image = work.activations + block.input_at + input_offset(block, lane.term, block.tensor.pixel) +
                           first_channel + lane.line;
      const float* deltas = work.deltas + block.deltas_at + first_filter + lane.line;
      const auto input_place = [&](int window) {
        const int valid = min(window, block.windows() - 1);
        const int i = valid / block.by_out_w;
        return 2 * i * block.pitch + 2 * (valid - i * block.out_w) * block.tensor.pixel;
      };
      const auto delta_at = [&](int window) {
        return deltas + (window < block.windows() ? delta_place(block, window) + delta_offset(block, lane.term)
                                                  : block.tensor.zero_pixel);
      };
      TensorRows rows[pairs];
      int places[2 * pairs];
#pragma unroll
      for (int n = 0; n < pairs; ++n) {
        const int window = chunk * tensor_chunk_windows + 2 * n;
        rows[n] = load_rows(delta_at(window), delta_at(window + 1), 8, block.tensor.delta_low);
        places[2 * n] = input_place(window);
        places[2 * n + 1] = input_place(window + 1);
      }

      float* part = work.scratch + block.filter_parts_at + chunk * block.filter_part_floats();
      float* target = part + ((first_filter + lane.line) * block.channels + first_channel + 2 * lane.term) * taps;
      const int end = min((tap_split + 1) * block.tensor.tap_share, taps);
      for (int tap = tap_split * block.tensor.tap_share; tap < end; ++tap) {
        const int p = tap / KERNEL;
        const float* x = image + p * block.pitch + (tap - p * KERNEL) * block.tensor.pixel;
        TensorSums sums = {};
#pragma unroll
        for (int n = 0; n < pairs; ++n) {
          add_tensor_product(sums, rows[n], load_terms(x + places[2 * n], x + places[2 * n + 1], block.tensor.low));
        }
#pragma unroll
        for (int f = 0; f < 4; ++f) {
          target[(f / 2 * 8 * block.channels + f % 2) * taps + tap] = sums[f];
        }
      }
      if (first_channel == 0 && tap_split == 0) {
        float bias[2] = {};
#pragma unroll
        for (int n = 0; n < pairs; ++n) {
#pragma unroll
          for (int f = 0; f < 2; ++f) {
            bias[f] += (rows[n].high[f] + rows[n].low[f]) + (rows[n].high[f + 2] + rows[n].low[f + 2]);
          }
        }
#pragma unroll
        for (int f = 0; f < 2; ++f) {
          const float sum = line_sum(bias[f]);
          if (lane.term == 0) {
            part[block.bias_part_at() + first_filter + 8 * f + lane.line] = sum;
          }
        }
      }
    }
  }
}

/// The gradient of a block's input, by the first block.data_threads threads, a part for each column of taps and eight
/// filters: to the scratch, [part][pixel][channel]. Columns of a product are pixels and its terms filters; rows are the
/// channels of a tap and, behind them, those of the tap below: the same deltas with both give neighbouring rows of
/// pixels. Warp: eight channels of a part, whose weights stay in its registers, tile by tile of 4 columns of 12 pixels,
/// of which a lane has columns of six.
template <int KERNEL>
__device__ __forceinline__ void tensor_backward_data(const FusedBlock& block, const FusedWorkspace& work) {
  constexpr int strip = tensor_tile_rows / 2;
  constexpr int pairs = strip / 2;
  const TensorLane lane;
  const int channel_tiles = block.tensor.by_channel_tiles.value;
  const int filter_tiles = block.filters / 8;
  const int warps = block.data_threads / warp_size;
  if (lane.warp >= warps) {
    return;
  }
  for (int item = lane.warp; item < KERNEL * filter_tiles * channel_tiles; item += warps) {
    const int part = item / block.tensor.by_channel_tiles;
    const int channel_tile = item - part * channel_tiles;
    const int filter_tile = part / KERNEL;
    const int q = part - filter_tile * KERNEL;

    // Of taps p - 1 and p; of taps above the first and below the last there are none.
    TensorRows taps[KERNEL + 1] = {};
#pragma unroll
    for (int n = 0; n < 2; ++n) {
      const float* weights = work.packed + block.filters_at +
                             block.filter_place(8 * filter_tile + 2 * lane.term + n, 8 * channel_tile + lane.line, q);
#pragma unroll
      for (int p = 0; p < KERNEL; ++p) {
        const float* high = weights + p * block.filter_place(0, 0, KERNEL);
        const float* low = high + FusedBlock::filter_low;
        taps[p].high[2 * n + 1] = *high;
        taps[p].low[2 * n + 1] = *low;
        taps[p + 1].high[2 * n] = load_again(high);
        taps[p + 1].low[2 * n] = load_again(low);
      }
    }
    float* target = work.scratch + part * block.height * block.width * block.channels + 8 * channel_tile + lane.line;
#pragma unroll 1
    for (int tile = 0; tile < block.tensor.data_tiles; ++tile) {
      const int tile_y = tile / block.tensor.by_data_columns;
      const int first_x = (tile - tile_y * block.tensor.by_data_columns.value) * tensor_tile_columns;
      const int first_y = tile_y * tensor_tile_rows;
      // As a column of products: pixels from row `y` on, which the deltas of column x - q reach.
      const int column = first_x + lane.line % 4 - q;
      const int y = first_y + lane.line / 4 * strip;
      const bool is_inside = column >= 0 && column < 2 * block.out_w;
      const float* deltas = work.deltas + block.deltas_at + (y - (KERNEL - 1)) * block.tensor.delta_row +
                            (is_inside ? column * block.tensor.delta_pixel : block.tensor.zero_pixel) +
                            8 * filter_tile + 2 * lane.term;
      TensorSums sums[pairs] = {};
#pragma unroll
      for (int r = 0; r < strip + KERNEL - 1; ++r) {
        const TensorColumn met = load_column(deltas + r * block.tensor.delta_row, block.tensor.delta_low);
#pragma unroll
        for (int n = 0; n < pairs; ++n) {
          const int tap = 2 * n + KERNEL - 1 - r;  // with which the upper row of the pair is met
          if (tap >= -1 && tap < KERNEL) {
            add_tensor_product(sums[n], taps[tap + 1], met);
          }
        }
      }
      // Of the sums a lane has two neighbouring columns. Tiles may reach over the image's end.
      const bool is_whole = block.height % tensor_tile_rows == 0 && block.width % tensor_tile_columns == 0;
      const int own_y = first_y + lane.term / 2 * strip;
      const int own_x = first_x + lane.term % 2 * 2;
#pragma unroll
      for (int n = 0; n < pairs; ++n) {
#pragma unroll
        for (int f = 0; f < 4; ++f) {
          if (is_whole || (own_y + 2 * n + f / 2 < block.height && own_x + f % 2 < block.width)) {
            target[((own_y + 2 * n + f / 2) * block.width + own_x + f % 2) * block.channels] = sums[n][f];
          }
        }
      }
    }
  }
}

/// Adds what tensor_backward_data() has put into the scratch, and takes it through the sigmoid of the block before: its
/// deltas. Thread: a pixel of four channels.
template <int KERNEL>
__device__ __forceinline__ void add_tensor_data(const FusedBlock& block, const FusedBlock& before,
                                                const FusedWorkspace& work) {
  constexpr int vector = 4;
  const int values = block.height * block.width * block.channels;
  for (int item = thread_index(); item < values / vector; item += fused_threads) {
    float4 sum = load4(work.scratch + item * vector);
#pragma unroll 10
    for (int part = 1; part < KERNEL * (block.filters / 8); ++part) {
      sum = add4(sum, load4(work.scratch + part * values + item * vector));
    }
    const int pixel = item / block.tensor.by_channel_vectors;
    const int channel = (item - pixel * block.tensor.by_channel_vectors.value) * vector;
    const int y = pixel / block.by_width;
    const float* input =
        work.activations + block.input_at + y * block.pitch + (pixel - y * block.width) * block.tensor.pixel + channel;
    const float4 s = add4(load4(input), load4(input + block.tensor.low));
    store_tensor_deltas(before, work, channel, pixel,
                        make_float4(sigmoid_gradient(sum.x, s.x), sigmoid_gradient(sum.y, s.y),
                                    sigmoid_gradient(sum.z, s.z), sigmoid_gradient(sum.w, s.w)));
  }
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
