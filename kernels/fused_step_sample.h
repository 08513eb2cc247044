// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "kernels/async_copy.h"
#include "kernels/backend.h"
#include "kernels/fused_step.h"
#include "kernels/fused_step_backward.h"
#include "kernels/fused_step_forward.h"
#include "kernels/fused_step_shape.h"
#include "kernels/fused_step_workspace.h"
#include "kernels/shared_memory.h"

namespace touchstone::TOUCHSTONE_BACKEND {

template <int VALUE>
using Constant = std::integral_constant<int, VALUE>;

/// All blocks have this kernel and this pool, and the parameters are in shared memory; with DATA_FILTERS these are too.
template <int KERNEL, int POOL, bool DATA_FILTERS>
struct OneKind {
  static constexpr bool resident = true;
  static constexpr bool data_filters_resident = DATA_FILTERS;
  template <class Stage>
  static __device__ __forceinline__ void with_block(const FusedBlock& /*block*/, const Stage& stage) {
    stage(Constant<KERNEL>(), Constant<POOL>());
  }
};

/// Any blocks; the parameters are where there is room for them.
struct AnyKind {
  static constexpr bool resident = false;
  static constexpr bool data_filters_resident = false;
  template <class Stage>
  static __device__ __forceinline__ void with_block(const FusedBlock& block, const Stage& stage) {
    switch (10 * block.kernel + block.pool) {
      case 12:
        return stage(Constant<1>(), Constant<2>());
      case 13:
        return stage(Constant<1>(), Constant<3>());
      case 32:
        return stage(Constant<3>(), Constant<2>());
      case 33:
        return stage(Constant<3>(), Constant<3>());
      case 52:
        return stage(Constant<5>(), Constant<2>());
      case 53:
        return stage(Constant<5>(), Constant<3>());
      case 72:
        return stage(Constant<7>(), Constant<2>());
      default:
        return stage(Constant<7>(), Constant<3>());
    }
  }
};

/// Shared memory as FusedStepShape::shared_bytes() counts it. `parameters`: where a block brings them; nullptr where it
/// does not.
template <class Kind>
__device__ __forceinline__ FusedWorkspace take_workspace(const FusedStepShape& shape, const FusedStepTensors& tensors,
                                                         float*& parameters) {
  SharedMemory shared;
  FusedWorkspace work{};
  work.packed = tensors.packed;
  work.data_filters = tensors.packed + shape.packed_floats;
  if (Kind::resident || shape.residency != FusedResidency::none) {
    parameters = shared.take<float>(static_cast<std::size_t>(shape.resident_floats()));
    work.packed = parameters;
    if (Kind::data_filters_resident || shape.residency == FusedResidency::both) {
      work.data_filters = parameters + shape.packed_floats;
    }
  }
  work.activations = shared.take<float>(static_cast<std::size_t>(shape.activation_floats));
  work.deltas = shared.take<float>(static_cast<std::size_t>(shape.delta_floats));
  work.offsets = shared.take<std::uint16_t>(static_cast<std::size_t>(shape.delta_floats));
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
  for (int i = 4 * thread_index(); i < floats; i += 4 * fused_threads) {
    start_copy16(source + i, target + i);
  }
}

/// A block of threads at work on samples.
template <class Kind>
class SampleRunner {
 public:
  __device__ SampleRunner(const FusedStepShape& shape, const FusedStepTensors& tensors)
      : shape_(shape), tensors_(tensors), work_(take_workspace<Kind>(shape, tensors, parameters_)) {
    for (int i = thread_index(); i < shape.delta_floats; i += fused_threads) {
      work_.deltas[i] = 0.0F;  // those behind the last filter stay so
    }
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
    load_sample(shape_, work_, tensors_, tensors_.indices[sample]);
  }

  /// From the pixels to the logits.
  __device__ __forceinline__ void forward() {
    wait_copies<1>();
    __syncthreads();  // the image and the first block's parameters are there
    for (int i = 0; i < shape_.blocks; ++i) {
      const FusedBlock& block = shape_.block[static_cast<std::size_t>(i)];
      Kind::with_block(block, [&](auto kernel, auto pool) {
        block_forward<decltype(kernel)::value, decltype(pool)::value>(block, work_);
        wait_copies<0>();
        __syncthreads();  // a window's parts, or its value, are there, and all parameters
        if (block.forward_splits > 1) {
          combine_forward<decltype(pool)::value>(block, work_);
          __syncthreads();  // the block's output is there, and the scratch free
        }
      });
    }
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
  __device__ __forceinline__ void backward(const PartialGradient& gradient) {
    dense_backward(shape_, work_, gradient);
    __syncthreads();  // the last block's deltas are there
    for (int i = shape_.blocks - 1; i > 0; --i) {
      const FusedBlock& block = shape_.block[static_cast<std::size_t>(i)];
      Kind::with_block(block, [&](auto kernel, auto pool) {
        block_backward_filters<decltype(kernel)::value>(block, work_, gradient);
        block_backward_data<decltype(kernel)::value, decltype(pool)::value>(
            block, shape_.block[static_cast<std::size_t>(i) - 1], work_);
      });
      if (i + 1 < shape_.blocks) {
        add_filters(shape_.block[static_cast<std::size_t>(i) + 1], work_, gradient);
      }
      __syncthreads();  // the deltas of the block before are there, and the parts of this one's filters
    }
    const FusedBlock& first = shape_.block[0];
    Kind::with_block(first, [&](auto kernel, auto pool) {
      static_cast<void>(pool);
      block_backward_filters<decltype(kernel)::value>(first, work_, gradient);
    });
    if (shape_.blocks > 1) {
      add_filters(shape_.block[1], work_, gradient);
    }
    __syncthreads();  // the parts of the first block's filters are there, and the image is read
    add_filters(first, work_, gradient);
  }

 private:
  const FusedStepShape& shape_;
  const FusedStepTensors& tensors_;
  float* parameters_ = nullptr;
  FusedWorkspace work_;
};

}  // namespace touchstone::TOUCHSTONE_BACKEND
