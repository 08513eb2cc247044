// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/backend.h"
#include "kernels/fused_step_shape.h"
#include "kernels/step.h"
#include "touchstone/gather.h"
#include "touchstone/optimizer.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// What the fused step reads and writes in device memory.
struct FusedStepTensors {
  const std::uint8_t* pixels;    ///< the data set [images][image_size]
  const std::uint8_t* labels;    ///< [images]
  const std::uint32_t* indices;  ///< the images that a run takes, in order
  PixelScale scale;              ///< what pixels become
  float* parameters;             ///< the flat parameter vector
  float* packed;                 ///< the same as the kernels read them; see pack_parameters()
  float* partials;               ///< [fused_most_parts][parameter_floats]: the gaps between tensors hold zeros
  float* gradients;              ///< the flat vector's, where they are asked for
  float* slot0;                  ///< the optimizer's state
  float* slot1;                  ///< nullptr for SGD
  float* losses;                 ///< one a sample of the run
  std::uint8_t* correct;
  float* logits;  ///< [samples of the run][classes]; nullptr: not wanted
  StepCursor* cursor;
  const StepRecord* records;  ///< one a step of the run
  unsigned* barrier;          ///< for GridBarrier
};

/// What the second launch of a step does with the gradient.
enum class FusedUpdate : std::uint8_t { store, sgd, adam, adamw };
[[nodiscard]] FusedUpdate fused_update(OptimizerKind kind);

/// Whether a GPU, the current device, has tensor cores that the fused step is faster by, and the kernels that it runs
/// were compiled for one that has.
[[nodiscard]] bool fused_step_uses_tensor_cores(int device);

/// Lays the parameters out as the kernels read them, whenever others have written them. Whatever lies between them in
/// `packed` is to hold zeros.
void pack_parameters(const FusedStepShape& shape, const FusedStepTensors& tensors, cudaStream_t stream);

/// The first launch of a step of `batch` samples at the cursor: their losses and correctness, and the gradient of
/// `scale` times the sum of their losses in fused_parts(batch) parts. Moves the cursor's step on.
void fused_gradients(const FusedStepShape& shape, const FusedStepTensors& tensors, std::int64_t batch, float scale,
                     cudaStream_t stream);

/// The second launch: adds the parts, in a fixed order, and updates the parameters, or only stores the gradients. Takes
/// the record of the step before the cursor's, and moves the cursor's sample on.
void fused_update(const FusedStepShape& shape, const FusedStepTensors& tensors, std::int64_t batch, FusedUpdate update,
                  const OptimizerSettings& settings, cudaStream_t stream);

/// The blocks of a cooperative launch that runs whole steps; 0 where the device can have none.
[[nodiscard]] int fused_cooperative_blocks(const FusedStepShape& shape, int device);

/// All steps of a run of `samples` samples in mini-batches of `batch`, in one cooperative launch of at most `blocks`
/// blocks; gives the bits of the two launches a step. Leaves the cursor; tensors.barrier must be 0, and is not any more
/// afterwards.
void fused_steps(const FusedStepShape& shape, const FusedStepTensors& tensors, std::int64_t samples, std::int64_t batch,
                 FusedUpdate update, const OptimizerSettings& settings, int blocks, cudaStream_t stream);

/// Losses, correctness and logits of all samples of a run, in one launch of at most `blocks` blocks.
void fused_forward(const FusedStepShape& shape, const FusedStepTensors& tensors, std::int64_t samples,
                   std::int64_t blocks, cudaStream_t stream);

}  // namespace touchstone::TOUCHSTONE_BACKEND
