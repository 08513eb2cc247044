// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/backend.h"
#include "kernels/fused_step.h"
#include "kernels/fused_step_shape.h"
#include "kernels/vector_access.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// What a block works on. Offsets into it are those of FusedStepShape.
struct FusedWorkspace {
  const float* packed;        ///< the parameters; in device memory where they do not fit
  const float* data_filters;  ///< likewise
  float* activations;
  float* deltas;
  std::uint16_t* offsets;
  int* tap_offsets;
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
  /// Of four neighbours, the first at a multiple of 4.
  __device__ __forceinline__ void add_vector(int index, float4 value) const {
    if (!first) {
      value = add4(load4(values + index), value);
    }
    store4(values + index, value);
  }
};

/// The thread's index, of which the compiler cannot know that it is the same at the next call: what a stage makes of it
/// would be kept for the next sample, in registers that the stages between need.
[[nodiscard]] __device__ __forceinline__ int thread_index() {
  auto index = static_cast<int>(threadIdx.x);
#ifdef __CUDA_ARCH__
  asm volatile("" : "+r"(index));
  __builtin_assume(index >= 0 && index < fused_threads);
#endif
  return index;
}

/// The thread's index counted from thread `first` on, around the end: where a stage has work of two kinds, the second
/// begins with the threads that the first has left.
[[nodiscard]] __device__ __forceinline__ int thread_index_from(int first) {
  return static_cast<int>(static_cast<unsigned>(thread_index() - first) % fused_threads);
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
