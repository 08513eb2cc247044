// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/backend.h"
#include "kernels/fused_step_shape.h"
#include "kernels/fused_step_workspace.h"
#include "kernels/quotient.h"
#include "kernels/row_lanes.h"
#include "kernels/sigmoid_value.h"
#include "kernels/vector_access.h"

/// The stages of the fused step from the pixels to the loss, each done by all threads of a block for one sample in
/// shared memory. A stage reads what the stages before have written: __syncthreads() stands between them, in who calls
/// them (kernels/fused_step.cu). Formulas, ties and NaN: include/touchstone/conv2d_maxpool_sigmoid.h. Every sum has a
/// fixed order.
namespace touchstone::TOUCHSTONE_BACKEND {

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

/// The largest pre-activation of a window, and which of them it is.
struct PooledWindow {
  float largest;
  int argmax;
};

/// Pools a window. `sums`: its pre-activations without bias.
template <int POSITIONS>
[[nodiscard]] __device__ __forceinline__ PooledWindow pool_window(const float (&sums)[POSITIONS], float bias) {
  PooledWindow pooled{sums[0] + bias, 0};
#pragma unroll
  for (int position = 1; position < POSITIONS; ++position) {
    const float value = sums[position] + bias;
    if (value > pooled.largest) {
      pooled = {value, position};
    }
  }
  return pooled;
}

/// Pools a window of one filter and applies the sigmoid. `sums`: its pre-activations without bias.
template <int POOL>
__device__ __forceinline__ void finish_window(const FusedBlock& block, const FusedWorkspace& work, int filter,
                                              int window, const float (&sums)[POOL * POOL]) {
  const auto [largest, argmax] = pool_window(sums, work.packed[block.bias_at + filter]);
  const int i = window / block.by_out_w;
  const int j = window - i * block.out_w;
  work.activations[block.output_at + filter * block.out_plane + i * block.out_pitch + j] = sigmoid_value(largest);
  const int at = block.deltas_at + window * block.delta_pitch + filter;
  const int y = i * POOL + argmax / POOL;
  const int x = j * POOL + argmax % POOL;
  work.offsets[at] = static_cast<std::uint16_t>(y * block.pitch + x);
  if (block.data_filters_at >= 0) {
    const int offset = block.tap_offset(filter, y, x);
    work.tap_offsets[at] = offset;
    if (filter == block.filters - 1) {
      for (int behind = filter + 1; behind < block.delta_pitch; ++behind) {
        work.tap_offsets[at - filter + behind] = offset;
      }
    }
  }
}

/// The pre-activations of a block. Thread: a window of some filters over some of the channels; where these are not all,
/// the sums go to the scratch, [split][position][window][padded_filters], and combine_forward() has the rest.
template <int KERNEL, int POOL>
__device__ __forceinline__ void block_forward(const FusedBlock& block, const FusedWorkspace& work) {
  constexpr int positions = POOL * POOL;
  constexpr int thread_filters = fused_thread_filters(POOL);
  const int windows = block.windows();
  const int groups = block.by_filter_groups.value;
  for (int item = thread_index(); item < windows * groups * block.forward_splits; item += fused_threads) {
    const int sums_of_window = item / block.by_windows;
    const int window = item - sums_of_window * windows;
    const int split = sums_of_window / block.by_filter_groups;
    const int group = sums_of_window - split * groups;
    const int i = window / block.by_out_w;
    const int j = window - i * block.out_w;
    const float* image = work.activations + block.input_at + i * POOL * block.pitch + j * POOL;
    const float* filters = work.packed + block.filters_at + group * thread_filters;

    float sums[positions][thread_filters] = {};
    const int end = min((split + 1) * block.forward_share, block.channels);
    for (int channel = split * block.forward_share; channel < end; ++channel) {
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
    const int window = item / block.by_filters;
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

/// A lane's part of the sum of so many products, both factors at multiples of 16 bytes: of every 32nd four terms, where
/// these are all, else of every 32nd term.
[[nodiscard]] __device__ __forceinline__ float lane_product(const float* a, const float* b, int terms, int lane) {
  constexpr int vector = 4;
  float sum = 0.0F;
  if (terms % vector == 0) {
#pragma unroll 2
    for (int i = vector * lane; i < terms; i += vector * warp_size) {
      const float4 x = load4(a + i);
      const float4 y = load4(b + i);
      sum += (x.x * y.x + x.y * y.y) + (x.z * y.z + x.w * y.w);
    }
    return sum;
  }
  for (int i = lane; i < terms; i += warp_size) {
    sum += a[i] * b[i];
  }
  return sum;
}

/// The logits. Warp: a class.
__device__ __forceinline__ void dense_forward(const FusedStepShape& shape, const FusedWorkspace& work) {
  const float* features = work.activations + shape.features_at;
  const int lane = thread_index() % warp_size;
  for (int output = thread_index() / warp_size; output < shape.classes; output += fused_threads / warp_size) {
    const float sum =
        warp_sum(lane_product(features, work.packed + shape.dense_at + output * shape.features, shape.features, lane));
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
/// class, of which the first one's values stay in registers. Formulas and ties as in kernels/softmax_cross_entropy.cu
/// and kernels/accuracy.cu.
__device__ __forceinline__ SampleOutcome classify(const FusedStepShape& shape, const FusedWorkspace& work,
                                                  float scale) {
  const int lane = thread_index() % warp_size;
  const int label = *work.label;
  float* z = work.logits;
  const bool has_own = lane < shape.classes;
  const float own = z[has_own ? lane : 0];

  float largest = own;
  int best = has_own ? lane : 0;
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

  const float own_exponential = expf(own - largest);
  float sum = has_own ? own_exponential : 0.0F;
  for (int i = lane + warp_size; i < shape.classes; i += warp_size) {
    sum += expf(z[i] - largest);
  }
  sum = warp_sum(sum);
  const SampleOutcome outcome{logf(sum) - (z[label] - largest), best == label};
  __syncwarp();  // all lanes have read the label's logit
  const auto store_gradient = [&](int i, float exponential) {
    const float probability = quotient(exponential, sum);
    z[i] = scale * (i == label ? probability - 1.0F : probability);
  };
  if (has_own) {
    store_gradient(lane, own_exponential);
  }
  for (int i = lane + warp_size; i < shape.classes; i += warp_size) {
    store_gradient(i, expf(z[i] - largest));
  }
  return outcome;
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
