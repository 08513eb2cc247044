// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/async_copy.h"
#include "kernels/backend.h"
#include "kernels/fused_step.h"
#include "kernels/fused_step_forward.h"
#include "kernels/fused_step_shape.h"
#include "kernels/fused_step_workspace.h"
#include "kernels/pixel_value.h"
#include "kernels/shared_memory.h"
#include "kernels/vector_access.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// Shared memory as FusedStepShape::shared_bytes() counts it. `parameters`: where a block brings them; nullptr where it
/// does not.
template <class Form>
__device__ __forceinline__ FusedWorkspace take_workspace(const FusedStepShape& shape, const FusedStepTensors& tensors,
                                                         float*& parameters) {
  SharedMemory shared;
  FusedWorkspace work{};
  work.packed = tensors.packed;
  work.data_filters = tensors.packed + shape.packed_floats;
  if (Form::resident || shape.residency != FusedResidency::none) {
    parameters = shared.take<float>(static_cast<std::size_t>(shape.resident_floats()));
    work.packed = parameters;
    if (Form::data_filters_resident || shape.residency == FusedResidency::both) {
      work.data_filters = parameters + shape.packed_floats;
    }
  }
  work.activations = shared.take<float>(static_cast<std::size_t>(shape.activation_floats));
  work.deltas = shared.take<float>(static_cast<std::size_t>(shape.delta_floats));
  work.offsets = shared.take<std::uint16_t>(static_cast<std::size_t>(shape.offsets));
  if (shape.tap_offsets > 0) {
    work.tap_offsets = shared.take<int>(static_cast<std::size_t>(shape.tap_offsets));
  }
  if (shape.scratch_floats > 0) {
    work.scratch = shared.take<float>(static_cast<std::size_t>(shape.scratch_floats));
  }
  work.logits = shared.take<float>(static_cast<std::size_t>(shape.classes));
  work.label = shared.take<int>(1);
  return work;
}

/// Starts to copy so many floats, to the next multiple of 4: behind a tensor there is a gap.
__device__ __forceinline__ void start_copy(const float* source, float* target, int floats) {
#pragma unroll 5
  for (int first = 0; first < floats; first += 4 * fused_threads) {
    const int i = first + 4 * thread_index();
    if (i < floats) {
      start_copy16(source + i, target + i);
    }
  }
}

/// A sample's pixels, normalised, and its label.
template <class Form>
__device__ __forceinline__ void load_sample(const FusedStepShape& shape, const FusedWorkspace& work,
                                            const FusedStepTensors& tensors, std::int64_t index) {
  const FusedBlock& first = shape.block[0];
  const std::uint8_t* source = tensors.pixels + index * shape.image_size;
  float* image = work.activations + first.input_at;
  if (thread_index() == 0) {
    *work.label = tensors.labels[index];
  }
  const auto row_of = [&](int row) {  // of all channels
    const int channel = row / first.by_height;
    return image + channel * first.plane + (row - channel * first.height) * first.pitch;
  };
  constexpr int vector_pixels = 4;
  if (first.width % vector_pixels == 0) {
    for (int i = thread_index() * vector_pixels; i < shape.image_size; i += fused_threads * vector_pixels) {
      const int row = i / first.by_width;
      Form::store_pixels(first, row_of(row), i - row * first.width,
                         pixel_values(tensors.scale, load_vector<uchar4>(source + i)));
    }
    return;
  }
  for (int i = thread_index(); i < shape.image_size; i += fused_threads) {
    const int row = i / first.by_width;
    Form::store_pixel(first, row_of(row), i - row * first.width, pixel_value(tensors.scale, source[i]));
  }
}

/// A block of threads at work on samples. Form: how products are taken, ByMultiplyAdds or ByTensorCores.
template <class Form>
class SampleRunner {
 public:
  __device__ SampleRunner(const FusedStepShape& shape, const FusedStepTensors& tensors)
      : shape_(shape), tensors_(tensors), work_(take_workspace<Form>(shape, tensors, parameters_)) {
    Form::prepare(shape_, work_);
  }

  /// Starts to bring the parameters into shared memory, first those of the first block; forward() waits for them.
  __device__ __forceinline__ void load_parameters() {
    if (parameters_ == nullptr) {
      return;
    }
    const int first = shape_.blocks > 1 ? shape_.block[1].filters_at : shape_.dense_at;
    start_copy(tensors_.packed, parameters_, first);
    end_copy_group();
    start_copy(tensors_.packed + first, parameters_ + first, shape_.resident_floats() - first);
    end_copy_group();
  }

  /// Brings a sample of the run into shared memory, for forward().
  __device__ __forceinline__ void load(std::int64_t sample) {
    load_sample<Form>(shape_, work_, tensors_, tensors_.indices[sample]);
  }

  /// From the pixels to the logits.
  __device__ __forceinline__ void forward() {
    wait_copies<1>();
    __syncthreads();  // the image and the first block's parameters are there
    Form::forward(shape_, work_);
    dense_forward(shape_, work_);
    __syncthreads();  // the logits are there
  }

  /// From the logits to the sample's loss and correctness and the logits' gradient.
  __device__ __forceinline__ void finish_sample(std::int64_t sample, float scale) {
    if (thread_index() < warp_size) {
      if (tensors_.logits != nullptr) {
        for (int i = thread_index(); i < shape_.classes; i += warp_size) {
          tensors_.logits[sample * shape_.classes + i] = work_.logits[i];
        }
      }
      const SampleOutcome outcome = classify(shape_, work_, scale);
      if (thread_index() == 0) {
        tensors_.losses[sample] = outcome.loss;
        tensors_.correct[sample] = outcome.correct ? 1 : 0;
      }
    }
    __syncthreads();  // the gradient is there
  }

  /// From the logits' gradient to that of all parameters. The image is read to its end when it returns, the scratch
  /// not.
  __device__ __forceinline__ void backward(const PartialGradient& gradient) { Form::backward(shape_, work_, gradient); }

 private:
  const FusedStepShape& shape_;
  const FusedStepTensors& tensors_;
  float* parameters_ = nullptr;
  FusedWorkspace work_;
};

}  // namespace touchstone::TOUCHSTONE_BACKEND
