// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/backend.h"
#include "kernels/fused_step_shape.h"
#include "kernels/row_lanes.h"
#include "kernels/sigmoid_value.h"
#include "kernels/vector_access.h"

/// The stages of the fused step, each done by all threads of a block for one sample in shared memory. A stage reads
/// what the stages before have written: __syncthreads() stands between them, in who calls them (kernels/fused_step.cu).
/// Formulas, ties and NaN: include/touchstone/conv2d_maxpool_sigmoid.h. Every sum has a fixed order.
namespace touchstone::TOUCHSTONE_BACKEND {

/// What a block works on. Offsets into it are those of FusedStepShape.
struct FusedWorkspace {
  float* table;               ///< the value of each pixel
  const float* packed;        ///< the parameters; in device memory where they do not fit
  const float* data_filters;  ///< what FusedBlock::data_filters_at is an offset into
  float* activations;
  float* deltas;
  std::uint8_t* argmax;
  std::uint16_t* offsets;
  float* scratch;
  float* logits;  ///< [classes]; then their gradient
  int* label;
};

/// Where a sample's gradient goes: to its part of the mini-batch's sum, as the first of it or on top of it.
struct PartialGradient {
  float* values;  ///< in the flat parameter vector's layout
  bool first;

  __device__ __forceinline__ void add(int index, float value) const {
    values[index] = first ? value : values[index] + value;
  }
};

[[nodiscard]] __device__ __forceinline__ int thread_index() { return static_cast<int>(threadIdx.x); }

/// The sample's pixels through the table, and its label.
__device__ __forceinline__ void load_sample(const FusedStepShape& shape, const FusedWorkspace& work,
                                            const std::uint8_t* pixels, const std::uint8_t* labels,
                                            std::int64_t index) {
  const FusedBlock& first = shape.block[0];
  const std::uint8_t* source = pixels + index * shape.image_size;
  float* image = work.activations + first.input_at;
  if (thread_index() == 0) {
    *work.label = labels[index];
  }
  constexpr int vector_pixels = 4;
  if (first.width % vector_pixels == 0) {
    for (int i = thread_index() * vector_pixels; i < shape.image_size; i += fused_threads * vector_pixels) {
      const uchar4 p = load_vector<uchar4>(source + i);
      const int row = i / first.width;  // of all channels
      const int channel = row / first.height;
      float* target =
          image + channel * first.plane + (row - channel * first.height) * first.pitch + i - row * first.width;
      store_vector(target, make_float2(work.table[p.x], work.table[p.y]));
      store_vector(target + 2, make_float2(work.table[p.z], work.table[p.w]));
    }
    return;
  }
  for (int i = thread_index(); i < shape.image_size; i += fused_threads) {
    const int row = i / first.width;
    const int channel = row / first.height;
    image[channel * first.plane + (row - channel * first.height) * first.pitch + i - row * first.width] =
        work.table[source[i]];
  }
}

/// WIDTH neighbouring values of a row; two at a time where the row allows it.
template <int WIDTH, int POOL>
__device__ __forceinline__ void load_row(const float* source, float (&row)[WIDTH]) {
  if constexpr (POOL == 2) {  // windows begin in even columns of even rows' pitch
#pragma unroll
    for (int x = 0; x < WIDTH / 2; ++x) {
      const auto pair = load_vector<float2>(source + 2 * x);
      row[2 * x] = pair.x;
      row[2 * x + 1] = pair.y;
    }
    if constexpr (WIDTH % 2 != 0) {
      row[WIDTH - 1] = source[WIDTH - 1];
    }
  } else {
#pragma unroll
    for (int x = 0; x < WIDTH; ++x) {
      row[x] = source[x];
    }
  }
}

/// One tap of the filters that a thread computes, in one access.
template <int FILTERS>
__device__ __forceinline__ void load_tap(const float* source, float (&weights)[FILTERS]) {
  if constexpr (FILTERS == 4) {
    const float4 w = load4(source);
    weights[0] = w.x;
    weights[1] = w.y;
    weights[2] = w.z;
    weights[3] = w.w;
  } else {
    static_assert(FILTERS == 2, "a tap is a vector");
    const auto w = load_vector<float2>(source);
    weights[0] = w.x;
    weights[1] = w.y;
  }
}

/// Writes what a thread computes of some filters, in one access.
template <int FILTERS>
__device__ __forceinline__ void store_sums(float* target, const float (&sums)[FILTERS]) {
  if constexpr (FILTERS == 4) {
    store4(target, make_float4(sums[0], sums[1], sums[2], sums[3]));
  } else {
    store_vector(target, make_float2(sums[0], sums[1]));
  }
}

/// Adds one channel's products to the pre-activations of a window, for some filters. `image`: the window's first pixel;
/// `filters`: the filters' first tap of this channel. POOL rows of the image are in registers at a time.
template <int KERNEL, int POOL, int FILTERS>
__device__ __forceinline__ void add_channel(const float* image, int pitch, const float* filters, int padded_filters,
                                            float (&sums)[POOL * POOL][FILTERS]) {
  constexpr int width = KERNEL + POOL - 1;
  float rows[POOL][width];
#pragma unroll
  for (int r = 0; r < POOL - 1; ++r) {
    load_row<width, POOL>(image + r * pitch, rows[r]);
  }
#pragma unroll
  for (int p = 0; p < KERNEL; ++p) {
    load_row<width, POOL>(image + (p + POOL - 1) * pitch, rows[(p + POOL - 1) % POOL]);
#pragma unroll
    for (int q = 0; q < KERNEL; ++q) {
      float weights[FILTERS];
      load_tap(filters + (p * KERNEL + q) * padded_filters, weights);
#pragma unroll
      for (int position = 0; position < POOL * POOL; ++position) {
        const float x = rows[(p + position / POOL) % POOL][q + position % POOL];
#pragma unroll
        for (int f = 0; f < FILTERS; ++f) {
          sums[position][f] += x * weights[f];
        }
      }
    }
  }
}

/// Pools a window of one filter and applies the sigmoid. `sums`: its pre-activations without bias.
template <int POOL>
__device__ __forceinline__ void finish_window(const FusedBlock& block, const FusedWorkspace& work, int filter,
                                              int window, const float (&sums)[POOL * POOL]) {
  const float bias = work.packed[block.bias_at + filter];
  float largest = sums[0] + bias;
  int argmax = 0;
#pragma unroll
  for (int position = 1; position < POOL * POOL; ++position) {
    const float value = sums[position] + bias;
    if (value > largest) {
      largest = value;
      argmax = position;
    }
  }
  const int i = window / block.out_w;
  const int j = window - i * block.out_w;
  work.activations[block.output_at + filter * block.out_plane + i * block.out_pitch + j] = sigmoid_value(largest);
  const int at = block.deltas_at + window * block.delta_pitch + filter;
  work.argmax[at] = static_cast<std::uint8_t>(argmax);
  work.offsets[at] = static_cast<std::uint16_t>((i * POOL + argmax / POOL) * block.pitch + j * POOL + argmax % POOL);
}

/// The pre-activations of a block. Thread: a window of some filters over some of the channels; where these are not all,
/// the sums go to the scratch, [split][position][window][padded_filters], and combine_forward() has the rest.
template <int KERNEL, int POOL>
__device__ __forceinline__ void block_forward(const FusedBlock& block, const FusedWorkspace& work) {
  constexpr int positions = POOL * POOL;
  constexpr int thread_filters = fused_thread_filters(POOL);
  const int windows = block.windows();
  const int groups = (block.filters + thread_filters - 1) / thread_filters;
  const int share = (block.channels + block.forward_splits - 1) / block.forward_splits;
  for (int item = thread_index(); item < windows * groups * block.forward_splits; item += fused_threads) {
    const int window = item % windows;
    const int group = item / windows % groups;
    const int split = item / (windows * groups);
    const int i = window / block.out_w;
    const int j = window - i * block.out_w;
    const float* image = work.activations + block.input_at + i * POOL * block.pitch + j * POOL;
    const float* filters = work.packed + block.filters_at + group * thread_filters;

    float sums[positions][thread_filters] = {};
    const int end = min((split + 1) * share, block.channels);
    for (int channel = split * share; channel < end; ++channel) {
      add_channel<KERNEL, POOL>(image + channel * block.plane, block.pitch,
                                filters + channel * KERNEL * KERNEL * block.padded_filters, block.padded_filters, sums);
    }
    if (block.forward_splits > 1) {
#pragma unroll
      for (int position = 0; position < positions; ++position) {
        store_sums(work.scratch + ((split * positions + position) * windows + window) * block.padded_filters +
                       group * thread_filters,
                   sums[position]);
      }
      continue;
    }
#pragma unroll
    for (int f = 0; f < thread_filters; ++f) {
      float of_filter[positions];
#pragma unroll
      for (int position = 0; position < positions; ++position) {
        of_filter[position] = sums[position][f];
      }
      if (group * thread_filters + f < block.filters) {
        finish_window<POOL>(block, work, group * thread_filters + f, window, of_filter);
      }
    }
  }
}

/// Adds what block_forward() has put into the scratch. Thread: a window of a filter.
template <int POOL>
__device__ __forceinline__ void combine_forward(const FusedBlock& block, const FusedWorkspace& work) {
  constexpr int positions = POOL * POOL;
  const int windows = block.windows();
  for (int item = thread_index(); item < windows * block.filters; item += fused_threads) {
    const int window = item / block.filters;
    const int filter = item - window * block.filters;
    float sums[positions] = {};
    for (int split = 0; split < block.forward_splits; ++split) {
#pragma unroll
      for (int position = 0; position < positions; ++position) {
        sums[position] +=
            work.scratch[((split * positions + position) * windows + window) * block.padded_filters + filter];
      }
    }
    finish_window<POOL>(block, work, filter, window, sums);
  }
}

/// The sum over a warp, the same in every lane.
[[nodiscard]] __device__ __forceinline__ float warp_sum(float value) {
#pragma unroll
  for (int lanes = warp_size / 2; lanes > 0; lanes /= 2) {
    value += __shfl_xor_sync(full_warp, value, lanes);
  }
  return value;
}

/// The logits. Warp: a class; lane: every 32nd feature.
__device__ __forceinline__ void dense_forward(const FusedStepShape& shape, const FusedWorkspace& work) {
  const float* features = work.activations + shape.features_at;
  const int lane = thread_index() % warp_size;
  for (int output = thread_index() / warp_size; output < shape.classes; output += fused_threads / warp_size) {
    const float* weights = work.packed + shape.dense_at + output * shape.features;
    float sum = 0.0F;
    for (int i = lane; i < shape.features; i += warp_size) {
      sum += features[i] * weights[i];
    }
    sum = warp_sum(sum);
    if (lane == 0) {
      work.logits[output] = sum + work.packed[shape.dense_bias_at + output];
    }
  }
}

/// What a sample's logits say.
struct SampleOutcome {
  float loss;
  bool correct;
};

/// Loss and correctness, and in the place of the logits their gradient times `scale`. By one warp; lane: every 32nd
/// class. Formulas and ties as in kernels/softmax_cross_entropy.cu and kernels/accuracy.cu.
__device__ __forceinline__ SampleOutcome classify(const FusedStepShape& shape, const FusedWorkspace& work,
                                                  float scale) {
  const int lane = thread_index() % warp_size;
  const int label = *work.label;
  float* z = work.logits;

  float largest = z[lane < shape.classes ? lane : 0];
  int best = lane < shape.classes ? lane : 0;
  for (int i = lane + warp_size; i < shape.classes; i += warp_size) {
    if (z[i] > largest) {
      largest = z[i];
      best = i;
    }
  }
#pragma unroll
  for (int lanes = warp_size / 2; lanes > 0; lanes /= 2) {
    const float other = __shfl_xor_sync(full_warp, largest, lanes);
    const int other_best = __shfl_xor_sync(full_warp, best, lanes);
    if (other > largest || (other == largest && other_best < best)) {
      largest = other;
      best = other_best;
    }
  }

  float sum = 0.0F;
  for (int i = lane; i < shape.classes; i += warp_size) {
    sum += expf(z[i] - largest);
  }
  sum = warp_sum(sum);
  const SampleOutcome outcome{logf(sum) - (z[label] - largest), best == label};
  __syncwarp();  // all lanes have read the label's logit
  for (int i = lane; i < shape.classes; i += warp_size) {
    const float probability = expf(z[i] - largest) / sum;
    z[i] = scale * (i == label ? probability - 1.0F : probability);
  }
  return outcome;
}

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
    const int filter = i / windows;
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
  const int rows = block.filters * block.channels * KERNEL;
  const int share = (block.windows() + block.filter_splits - 1) / block.filter_splits;
  for (int item = thread_index(); item < rows * block.filter_splits; item += fused_threads) {
    const int split = item / rows;
    const int row = item - split * rows;  // (filter*channels + channel)*KERNEL + p
    const int p = row % KERNEL;
    const int channel = row / KERNEL % block.channels;
    const int filter = row / (KERNEL * block.channels);
    const float* image = work.activations + block.input_at + channel * block.plane + p * block.pitch;

    float sums[KERNEL] = {};
    float bias = 0.0F;
    const int begin = split * share;
    const int end = min(begin + share, block.windows());
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
  const int lanes = (rows + warp_size - 1) / warp_size * warp_size;
  const int tap_stride = IN_ORDER ? 1 : block.data_tap_stride;
  for (int item = thread_index(); item < lanes * block.windows(); item += fused_threads) {
    const int window = item / lanes;
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
  const int positions = block.height * block.width;
  for (int item = thread_index(); item < channels * positions; item += fused_threads) {
    const int channel = item / positions;
    const int position = item - channel * positions;
    const int y = position / block.width;
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
