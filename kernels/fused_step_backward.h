// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "kernels/backend.h"
#include "kernels/fused_step_shape.h"
#include "kernels/fused_step_workspace.h"
#include "kernels/geometry.h"
#include "kernels/row_lanes.h"
#include "kernels/sigmoid_value.h"
#include "kernels/vector_access.h"

/// The stages of the fused step from the loss back to the parameters; as kernels/fused_step_forward.h.
namespace touchstone::TOUCHSTONE_BACKEND {

/// The dense layer's gradients, and the deltas of the block before it: calls `store_delta` with each filter, window and
/// its delta. Thread: a feature, of all classes; the threads that have none begin with the weights.
template <class StoreDelta>
__device__ __forceinline__ void dense_backward(const FusedStepShape& shape, const FusedBlock& last,
                                               const FusedWorkspace& work, const PartialGradient& gradient,
                                               const StoreDelta& store_delta) {
  const int windows = last.windows();
  for (int i = thread_index(); i < shape.features; i += fused_threads) {
    float sum = 0.0F;
    for (int output = 0; output < shape.classes; ++output) {
      sum += work.logits[output] * work.packed[shape.dense_at + output * shape.features + i];
    }
    const int filter = i / last.by_windows;
    const int window = i - filter * windows;
    store_delta(filter, window, sigmoid_gradient(sum, work.activations[shape.features_at + i]));
  }
  for (int i = thread_index_from(shape.features); i < shape.features; i += fused_threads) {
    const float feature = work.activations[shape.features_at + i];
    for (int output = 0; output < shape.classes; ++output) {
      gradient.add(shape.dense_weights + output * shape.features + i, work.logits[output] * feature);
    }
  }
  for (int output = thread_index(); output < shape.classes; output += fused_threads) {
    gradient.add(shape.dense_bias + output, work.logits[output]);
  }
}

/// The gradients of a block's filters and bias, by the last block.filter_threads threads. Thread: the taps of a filter
/// and channel, over some of the windows; neighbours have neighbouring filters, whose argmax are in the same few banks.
/// The sums go to the scratch, [split][filter_part_floats()], and add_filters() has the rest;
/// where there is no room, to the gradient.
template <int KERNEL>
__device__ __forceinline__ void block_backward_filters(const FusedBlock& block, const FusedWorkspace& work,
                                                       const PartialGradient& gradient) {
  constexpr int taps = KERNEL * KERNEL;
  const int first_thread = fused_threads - block.filter_threads;
  if (thread_index() < first_thread) {
    return;
  }
  const int planes = block.by_planes.value;
  for (int item = thread_index() - first_thread; item < planes * block.filter_splits; item += block.filter_threads) {
    const int split = item / block.by_planes;
    const int plane = item - split * planes;  // channel*filters + filter
    const int channel = plane / block.by_filters;
    const int filter = plane - channel * block.filters;
    const float* image = work.activations + block.input_at + channel * block.plane;

    float sums[taps] = {};
    float bias = 0.0F;
    const int begin = split * block.filter_share;
    const int end = min(begin + block.filter_share, block.windows());
    int at = block.deltas_at + begin * block.delta_pitch + filter;
#pragma unroll 2
    for (int window = begin; window < end; ++window) {
      const float delta = work.deltas[at];
      const float* x = image + work.offsets[at];
#pragma unroll
      for (int p = 0; p < KERNEL; ++p) {
#pragma unroll
        for (int q = 0; q < KERNEL; ++q) {
          sums[p * KERNEL + q] += delta * x[p * block.pitch + q];
        }
      }
      bias += delta;
      at += block.delta_pitch;
    }
    const int place = (filter * block.channels + channel) * taps;
    if (block.filter_parts_at >= 0) {
      float* part = work.scratch + block.filter_parts_at + split * block.filter_part_floats();
#pragma unroll
      for (int t = 0; t < taps; ++t) {
        part[place + t] = sums[t];
      }
      if (channel == 0) {
        part[block.bias_part_at() + filter] = bias;
      }
      continue;
    }
#pragma unroll
    for (int t = 0; t < taps; ++t) {
      gradient.add(block.weights + place + t, sums[t]);
    }
    if (channel == 0) {
      gradient.add(block.bias + filter, bias);
    }
  }
}

/// The first `count` values, and zeros.
[[nodiscard]] __device__ __forceinline__ float4 first_values(const float4& values, int count) {
  return make_float4(values.x, count > 1 ? values.y : 0.0F, count > 2 ? values.z : 0.0F, count > 3 ? values.w : 0.0F);
}

/// Adds what block_backward_filters() has put into the scratch, if it has. Thread, counted from the given one on: four
/// neighbouring parameters.
__device__ __forceinline__ void add_filters(const FusedBlock& block, const FusedWorkspace& work,
                                            const PartialGradient& gradient, int first_thread) {
  constexpr int vector = 4;
  if (block.filter_parts_at < 0) {
    return;
  }
  const int weights = block.weights_count();
  const int bias_at = block.bias_part_at();
  for (int item = vector * thread_index_from(first_thread); item < block.filter_part_floats();
       item += vector * fused_threads) {
    const float* parts = work.scratch + block.filter_parts_at + item;
    float4 sum = load4(parts);
#pragma unroll 8
    for (int split = 1; split < block.filter_splits; ++split) {
      sum = add4(sum, load4(parts + split * block.filter_part_floats()));
    }
    const bool is_bias = item >= bias_at;
    const int place = is_bias ? item - bias_at : item;
    gradient.add_vector((is_bias ? block.bias : block.weights) + place,
                        first_values(sum, (is_bias ? block.filters : weights) - place));
  }
}

/// A filter's taps of four channels, times its delta.
__device__ __forceinline__ void add_tap(float4& sum, float delta, const float4& taps) {
  sum.x += delta * taps.x;
  sum.y += delta * taps.y;
  sum.z += delta * taps.z;
  sum.w += delta * taps.w;
}

/// The sum of four lanes that are 8, 16 and 24 apart: of element `index` in the lane that is so many times 8 behind the
/// first of them.
[[nodiscard]] __device__ __forceinline__ float sum_of_quarters(const float4& value, int index) {
  const bool upper = index >= 2;
  const bool odd = index % 2 != 0;
  const float even_half = (upper ? value.z : value.x) + __shfl_xor_sync(full_warp, upper ? value.x : value.z, 16);
  const float odd_half = (upper ? value.w : value.y) + __shfl_xor_sync(full_warp, upper ? value.y : value.w, 16);
  return (odd ? odd_half : even_half) + __shfl_xor_sync(full_warp, odd ? even_half : odd_half, 8);
}

/// The gradient of a block's input, taken through the sigmoid of the block before: its deltas. By the first
/// block.data_threads threads. Four lanes share a pixel of four channels: each takes every fourth four filters, in all
/// windows that reach the pixel, and then one of the channels. A warp has eight pixels of neighbouring channel vectors
/// and of a tile of POOL x POOL, which have their windows in common.
template <int KERNEL, int POOL>
__device__ __forceinline__ void block_backward_data(const FusedBlock& block, const FusedBlock& before,
                                                    const FusedWorkspace& work) {
  constexpr int vector = 4;
  constexpr int warp_pixels = warp_size / vector;
  constexpr int patch = KERNEL + POOL - 1;
  if (thread_index() >= block.data_threads) {
    return;
  }
  const int lane = thread_index() % warp_size;
  const int quarter = lane / warp_pixels;
  const int vectors = block.by_channel_vectors.value;
  const int pixels = divide_up(block.height, POOL) * block.by_tiles.value * POOL * POOL * vectors;
  for (int first = thread_index() / warp_size * warp_pixels; first < pixels;
       first += block.data_threads / warp_size * warp_pixels) {
    const int item = min(first + lane % warp_pixels, pixels - 1);
    const int pixel = item / block.by_channel_vectors;  // of all tiles
    const int tile = pixel / (POOL * POOL);
    const int tile_y = tile / block.by_tiles;
    const int y = tile_y * POOL + pixel % (POOL * POOL) / POOL;
    const int x = (tile - tile_y * block.by_tiles.value) * POOL + pixel % POOL;
    const int channel = (item - pixel * vectors) * vector;

    const int first_i = y < patch ? 0 : (y - patch) / POOL + 1;
    const int first_j = x < patch ? 0 : (x - patch) / POOL + 1;
    const int last_i = min(y / POOL, block.out_h - 1);
    const int last_j = min(x / POOL, block.out_w - 1);
    const float* taps = work.data_filters + block.data_filter_place(0, channel, y, x);
    float4 sum = make_float4(0.0F, 0.0F, 0.0F, 0.0F);
    for (int filter = vector * quarter; filter < block.filters; filter += vector * vector) {
      for (int i = first_i; i <= last_i; ++i) {
        for (int j = first_j; j <= last_j; ++j) {
          const int at = block.deltas_at + (i * block.out_w + j) * block.delta_pitch + filter;
          const float4 deltas = load4(work.deltas + at);
          const auto offsets = load_vector<int4>(work.tap_offsets + at);
          add_tap(sum, deltas.x, load4(taps + offsets.x));
          add_tap(sum, deltas.y, load4(taps + offsets.y));
          add_tap(sum, deltas.z, load4(taps + offsets.z));
          add_tap(sum, deltas.w, load4(taps + offsets.w));
        }
      }
    }
    const float grad_input = sum_of_quarters(sum, quarter);
    const int own = channel + quarter;
    if (first + lane % warp_pixels < pixels && y < block.height && x < block.width && own < block.channels) {
      const float s = work.activations[block.input_at + own * block.plane + y * block.pitch + x];
      work.deltas[before.deltas_at + (y * block.width + x) * before.delta_pitch + own] =
          sigmoid_gradient(grad_input, s);
    }
  }
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
