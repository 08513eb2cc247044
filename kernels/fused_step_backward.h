// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "kernels/backend.h"
#include "kernels/fused_step_shape.h"
#include "kernels/fused_step_workspace.h"
#include "kernels/sigmoid_value.h"
#include "kernels/vector_access.h"

/// The stages of the fused step from the loss back to the parameters; as kernels/fused_step_forward.h.
namespace touchstone::TOUCHSTONE_BACKEND {

/// The dense layer's gradients, and the deltas of the block before it. Thread: a feature, of all classes.
__device__ __forceinline__ void dense_backward(const FusedStepShape& shape, const FusedWorkspace& work,
                                               const PartialGradient& gradient) {
  const FusedBlock& last = shape.block[static_cast<std::size_t>(shape.blocks) - 1];
  const int windows = last.windows();
  for (int i = thread_index(); i < shape.features; i += fused_threads) {
    const float feature = work.activations[shape.features_at + i];
    float sum = 0.0F;
    for (int output = 0; output < shape.classes; ++output) {
      const float grad_logit = work.logits[output];
      sum += grad_logit * work.packed[shape.dense_at + output * shape.features + i];
      gradient.add(shape.dense_weights + output * shape.features + i, grad_logit * feature);
    }
    const int filter = i / last.by_windows;
    const int window = i - filter * windows;
    work.deltas[last.deltas_at + window * last.delta_pitch + filter] = sigmoid_gradient(sum, feature);
  }
  for (int output = thread_index(); output < shape.classes; output += fused_threads) {
    gradient.add(shape.dense_bias + output, work.logits[output]);
  }
}

/// The gradients of a block's filters and bias. Thread: a row of taps of one channel and filter, over some of the
/// windows; where these are not all, the sums go to the scratch, [split][weights, then biases], and combine_filters()
/// has the rest.
template <int KERNEL>
__device__ __forceinline__ void block_backward_filters(const FusedBlock& block, const FusedWorkspace& work,
                                                       const PartialGradient& gradient) {
  const int rows = block.by_tap_rows.value;
  for (int item = thread_index(); item < rows * block.filter_splits; item += fused_threads) {
    const int split = item / block.by_tap_rows;
    const int row = item - split * rows;  // (filter*channels + channel)*KERNEL + p
    const int plane = row / KERNEL;       // filter*channels + channel
    const int p = row - plane * KERNEL;
    const int filter = plane / block.by_channels;
    const int channel = plane - filter * block.channels;
    const float* image = work.activations + block.input_at + channel * block.plane + p * block.pitch;

    float sums[KERNEL] = {};
    float bias = 0.0F;
    const int begin = split * block.filter_share;
    const int end = min(begin + block.filter_share, block.windows());
    int at = block.deltas_at + begin * block.delta_pitch + filter;
#pragma unroll 4
    for (int window = begin; window < end; ++window) {
      const float delta = work.deltas[at];
      const float* x = image + work.offsets[at];
#pragma unroll
      for (int q = 0; q < KERNEL; ++q) {
        sums[q] += delta * x[q];
      }
      bias += delta;
      at += block.delta_pitch;
    }
    const bool has_bias = p == 0 && channel == 0;
    if (block.filter_splits > 1) {
      float* parts = work.scratch + split * (block.weights_count() + block.filters);
#pragma unroll
      for (int q = 0; q < KERNEL; ++q) {
        parts[row * KERNEL + q] = sums[q];
      }
      if (has_bias) {
        parts[block.weights_count() + filter] = bias;
      }
      continue;
    }
#pragma unroll
    for (int q = 0; q < KERNEL; ++q) {
      gradient.add(block.weights + row * KERNEL + q, sums[q]);
    }
    if (has_bias) {
      gradient.add(block.bias + filter, bias);
    }
  }
}

/// Adds what block_backward_filters() has put into the scratch. Thread: a parameter.
__device__ __forceinline__ void combine_filters(const FusedBlock& block, const FusedWorkspace& work,
                                                const PartialGradient& gradient) {
  const int weights = block.weights_count();
  const int parameters = weights + block.filters;
  for (int item = thread_index(); item < parameters; item += fused_threads) {
    float sum = 0.0F;
    for (int split = 0; split < block.filter_splits; ++split) {
      sum += work.scratch[split * parameters + item];
    }
    gradient.add(item < weights ? block.weights + item : block.bias + item - weights, sum);
  }
}

/// Adds a filter's row of taps, times the delta, to a row of a window's patch; `taps` are `stride` apart. The branch is
/// the same for all lanes of a warp.
template <int KERNEL, int POOL>
__device__ __forceinline__ void add_taps(const float* taps, int stride, float delta, int column,
                                         float (&sums)[KERNEL + POOL - 1]) {
#pragma unroll
  for (int b = 0; b < POOL; ++b) {
    if (column == b) {
#pragma unroll
      for (int q = 0; q < KERNEL; ++q) {
        sums[b + q] += delta * taps[q * stride];
      }
    }
  }
}

/// What each window contributes to the gradient of the block's input, for channels from `begin` on: the scratch gets
/// [window][channel][patch][patch], the filters at the windows' argmax times the deltas, summed over the filters.
/// Thread: a row of a patch. A window's threads begin a warp, so that a warp's lanes have their argmax in common.
/// IN_ORDER: the taps at data_filters_at are neighbours.
template <int KERNEL, int POOL, bool IN_ORDER>
__device__ __forceinline__ void block_backward_patches(const FusedBlock& block, const FusedWorkspace& work, int begin) {
  constexpr int patch = KERNEL + POOL - 1;
  constexpr int vector = 4;
  const int rows = min(block.patch_channels, block.channels - begin) * patch;
  const int lanes = block.by_patch_lanes.value;
  const int tap_stride = IN_ORDER ? 1 : block.data_tap_stride;
  for (int item = thread_index(); item < lanes * block.windows(); item += fused_threads) {
    const int window = item / block.by_patch_lanes;
    const int row = item - window * lanes;  // channel*patch + u
    if (row >= rows) {
      continue;
    }
    const int channel = row / patch;
    const int u = row - channel * patch;
    // Where the row of taps p = u would be; the others are found from there.
    const float* taps =
        work.data_filters + block.data_filters_at + ((begin + channel) * KERNEL + u) * KERNEL * tap_stride;
    const int at = block.deltas_at + window * block.delta_pitch;

    float sums[patch] = {};
    for (int filter = 0; filter < block.filters; filter += vector) {
      const float4 d = load4(work.deltas + at + filter);
      const auto a = load_vector<uchar4>(work.argmax + at + filter);
      const float deltas[vector] = {d.x, d.y, d.z, d.w};
      const int positions[vector] = {a.x, a.y, a.z, a.w};
#pragma unroll
      for (int f = 0; f < vector; ++f) {
        const int above = positions[f] / POOL;
        const bool reads = static_cast<unsigned>(u - above) < static_cast<unsigned>(KERNEL);
        if (reads && filter + f < block.filters) {
          add_taps<KERNEL, POOL>(taps + (filter + f) * block.data_filter_stride - above * KERNEL * tap_stride,
                                 tap_stride, deltas[f], positions[f] % POOL, sums);
        }
      }
    }
    float* target = work.scratch + block.patches_at + window * block.patch_stride + row * patch;
#pragma unroll
    for (int v = 0; v < patch; ++v) {
      target[v] = sums[v];
    }
  }
}

/// Adds the patches where they overlap and takes the sum through the sigmoid of the block before: its deltas, for
/// channels from `begin` on. Thread: an element of the input.
template <int KERNEL, int POOL>
__device__ __forceinline__ void combine_patches(const FusedBlock& block, const FusedBlock& before,
                                                const FusedWorkspace& work, int begin) {
  constexpr int patch = KERNEL + POOL - 1;
  const int channels = min(block.patch_channels, block.channels - begin);
  const int positions = block.by_positions.value;
  for (int item = thread_index(); item < channels * positions; item += fused_threads) {
    const int channel = item / block.by_positions;
    const int position = item - channel * positions;
    const int y = position / block.by_width;
    const int x = position - y * block.width;
    const int first_i = y < patch ? 0 : (y - patch) / POOL + 1;
    const int first_j = x < patch ? 0 : (x - patch) / POOL + 1;
    const int last_i = min(y / POOL, block.out_h - 1);
    const int last_j = min(x / POOL, block.out_w - 1);
    const float* patches = work.scratch + block.patches_at + channel * patch * patch;
    float sum = 0.0F;
    for (int i = first_i; i <= last_i; ++i) {
      for (int j = first_j; j <= last_j; ++j) {
        sum += patches[(i * block.out_w + j) * block.patch_stride + (y - i * POOL) * patch + x - j * POOL];
      }
    }
    const float s = work.activations[block.input_at + (begin + channel) * block.plane + y * block.pitch + x];
    work.deltas[before.deltas_at + position * before.delta_pitch + begin + channel] = sigmoid_gradient(sum, s);
  }
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
