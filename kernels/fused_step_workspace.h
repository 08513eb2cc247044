// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/backend.h"
#include "kernels/fused_step.h"
#include "kernels/fused_step_shape.h"
#include "kernels/pixel_value.h"
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

[[nodiscard]] __device__ __forceinline__ int thread_index() { return static_cast<int>(threadIdx.x); }

/// The thread's index counted from thread `first` on, around the end: where a stage has work of two kinds, the second
/// begins with the threads that the first has left.
[[nodiscard]] __device__ __forceinline__ int thread_index_from(int first) {
  return static_cast<int>((threadIdx.x - static_cast<unsigned>(first)) % fused_threads);
}

/// A sample's pixels, normalised, and its label.
__device__ __forceinline__ void load_sample(const FusedStepShape& shape, const FusedWorkspace& work,
                                            const FusedStepTensors& tensors, std::int64_t index) {
  const FusedBlock& first = shape.block[0];
  const std::uint8_t* source = tensors.pixels + index * shape.image_size;
  float* image = work.activations + first.input_at;
  if (thread_index() == 0) {
    *work.label = tensors.labels[index];
  }
  constexpr int vector_pixels = 4;
  if (first.width % vector_pixels == 0) {
    for (int i = thread_index() * vector_pixels; i < shape.image_size; i += fused_threads * vector_pixels) {
      const float4 values = pixel_values(tensors.scale, load_vector<uchar4>(source + i));
      const int row = i / first.by_width;  // of all channels
      const int channel = row / first.by_height;
      float* target =
          image + channel * first.plane + (row - channel * first.height) * first.pitch + i - row * first.width;
      store_vector(target, make_float2(values.x, values.y));
      store_vector(target + 2, make_float2(values.z, values.w));
    }
    return;
  }
  for (int i = thread_index(); i < shape.image_size; i += fused_threads) {
    const int row = i / first.by_width;
    const int channel = row / first.by_height;
    image[channel * first.plane + (row - channel * first.height) * first.pitch + i - row * first.width] =
        pixel_value(tensors.scale, source[i]);
  }
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
