// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "kernels/async_copy.h"
#include "kernels/backend.h"
#include "kernels/fused_step_backward.h"
#include "kernels/fused_step_fixed.h"
#include "kernels/fused_step_shape.h"
#include "kernels/fused_step_tensor_backward.h"
#include "kernels/fused_step_tensor_forward.h"
#include "kernels/fused_step_workspace.h"
#include "kernels/tensor_core.h"
#include "kernels/vector_access.h"

/// A sample's way through the network and back with the convolutions' products by tensor cores, for networks and GPUs
/// that plan_fused_step() finds fit.
namespace touchstone::TOUCHSTONE_BACKEND {

/// The form of the fused step for blocks of this kernel: what SampleRunner is made of. All parameters are in shared
/// memory. BLOCKS: see last_block().
template <int KERNEL, int BLOCKS>
struct ByTensorCores {
  static constexpr bool compiled = compiles_tensor_cores;
  static constexpr bool resident = true;
  static constexpr bool data_filters_resident = true;

  /// The shape that stages see of the one that a kernel is told.
  static __device__ __forceinline__ const FusedStepShape& shape_of(const FusedStepShape& given) { return given; }

  /// Once, before the first sample.
  static __device__ __forceinline__ void prepare(const FusedStepShape& shape, const FusedWorkspace& work) {
    const FusedBlock& first = shape.block[0];
    const int terms = first.channels * first.taps();
    for (int i = thread_index(); i < shape.tap_offsets; i += fused_threads) {
      const int term = min(i, terms - 1);  // those behind the last one are multiplied with zeros, or forgotten
      const int channel = term / first.by_taps;
      const int tap = term - channel * first.taps();
      const int p = tap / first.by_kernel;
      const int q = tap - p * first.kernel;
      work.tap_offsets[i] = channel * first.plane + p * first.pitch + (q % 2 == 0 ? q : first.tensor.odd_at + q - 1);
    }
    for (int i = thread_index(); i < shape.delta_floats; i += fused_threads) {
      work.deltas[i] = 0.0F;  // beside the windows they stay so
    }
  }

  /// Writes four pixels of a row of the image from column x on, a multiple of 4, or one.
  static __device__ __forceinline__ void store_pixels(const FusedBlock& first, float* row, int x,
                                                      const float4& values) {
    const SplitFloat parts[4] = {split(values.x), split(values.y), split(values.z), split(values.w)};
    float* low = row + first.tensor.low;
    store4(row + x, make_float4(parts[0].high, parts[1].high, parts[2].high, parts[3].high));
    store4(low + x, make_float4(parts[0].low, parts[1].low, parts[2].low, parts[3].low));
    const int odd = first.tensor.odd_at + x;
    if (x > 0) {
      row[odd - 1] = parts[0].high;
      low[odd - 1] = parts[0].low;
    }
    store_vector(row + odd, make_float2(parts[1].high, parts[2].high));
    store_vector(low + odd, make_float2(parts[1].low, parts[2].low));
    row[odd + 2] = parts[3].high;
    low[odd + 2] = parts[3].low;
  }
  static __device__ __forceinline__ void store_pixel(const FusedBlock& first, float* row, int x, float value) {
    const SplitFloat parts = split(value);
    float* low = row + first.tensor.low;
    row[x] = parts.high;
    low[x] = parts.low;
    if (x > 0) {
      row[first.tensor.odd_at + x - 1] = parts.high;
      low[first.tensor.odd_at + x - 1] = parts.low;
    }
  }

  /// From the pixels to the features. The first group of copies has arrived.
  static __device__ __forceinline__ void forward(const FusedStepShape& shape, const FusedWorkspace& work) {
    tensor_forward_first(shape.block[0], work);
    wait_copies<0>();
    __syncthreads();  // the first block's output is there, and all parameters
    for_blocks_behind_first<BLOCKS>(shape, [&](const FusedBlock& block, const FusedBlock& /*before*/) {
      tensor_forward<KERNEL>(block, work);
      __syncthreads();  // a window's parts are there
      combine_tensor_forward(block, work);
      __syncthreads();  // the block's output is there, and the scratch free
    });
  }

  /// From the logits' gradient to that of all parameters.
  static __device__ __forceinline__ void backward(const FusedStepShape& shape, const FusedWorkspace& work,
                                                  const PartialGradient& gradient) {
    const FusedBlock& last = last_block<BLOCKS>(shape);
    dense_backward(shape, last, work, gradient,
                   [&](int filter, int window, float delta) { store_tensor_delta(last, work, filter, window, delta); });
    __syncthreads();  // the last block's deltas are there
    for_blocks_backwards<BLOCKS>(shape, [&](const FusedBlock& block, const FusedBlock& before) {
      tensor_backward_filters<KERNEL>(block, work);
      tensor_backward_data<KERNEL>(block, work);
      __syncthreads();  // the parts of both gradients are there
      add_tensor_data<KERNEL>(block, before, work);
      add_filters(block, work, gradient, block.height * block.width * block.channels / 4);
      __syncthreads();  // the deltas of the block before are there, and the scratch free
    });
    tensor_backward_first_filters(shape.block[0], work);
    __syncthreads();  // the parts of the first block's filters are there, and the image is read
    add_filters(shape.block[0], work, gradient, 0);
  }
};

/// The form of the fused step for `seed`.
struct SeedByTensorCores : ByTensorCores<5, 2> {
  static __device__ __forceinline__ FusedStepShape shape_of(const FusedStepShape& /*given*/) {
    constexpr FusedStepShape shape = seed_shape();
    return shape;
  }
};

}  // namespace touchstone::TOUCHSTONE_BACKEND
