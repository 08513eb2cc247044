// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "host/cpu/fused_plan.h"
#include "host/cpu/workspace.h"
#include "touchstone/operation_recorder.h"
#include "touchstone/plan.h"

namespace touchstone::cpu {

/// The largest group of samples whose activations and gradients stay in a core's second-level cache while they go
/// through the whole network together: depends on the plan alone.
std::int64_t group_size(const ExecutionPlan& plan);

/// The forward and backward pass of a plan over one group of samples in one thread, blocks of operations fused where
/// they can be. Keeps what the backward pass needs of the forward pass.
class NetworkPass {
 public:
  /// For groups of up to `capacity` samples.
  NetworkPass(const ExecutionPlan& plan, std::int64_t capacity);

  /// Where the images [capacity, input_count] and labels [capacity] of the next group go.
  [[nodiscard]] float* images() { return activations_.front().data(); }
  [[nodiscard]] std::uint8_t* labels() { return labels_.data(); }

  /// From the first `batch` images to their logits [batch, classes], which it returns.
  const float* forward(const float* parameters, std::int64_t batch);

  /// The codes of the group that forward() has last taken through: see code_operation().
  [[nodiscard]] const float* codes() const { return activations_[code_operation_].data(); }

  /// Whom to tell of each operation; nullptr: nobody.
  void record_with(OperationRecorder* recorder) { recorder_ = recorder; }
  [[nodiscard]] OperationRecorder* recorder() const { return recorder_; }

  /// Where the gradient by the logits [capacity, classes] goes before backward().
  [[nodiscard]] float* grad_logits() { return gradient_.data(); }

  /// From the gradient by the logits to the gradient by the parameters, in the plan's flat layout: written to
  /// `gradients` or, with `add`, added to what is there. The gaps between the parameters are left alone. The gradient
  /// by the images is not computed.
  void backward(const float* parameters, std::int64_t batch, bool add, float* gradients);

 private:
  void forward(const FusedOperation& operation, const float* parameters, std::int64_t batch, std::size_t index);
  void backward_data(const FusedOperation& operation, const float* parameters, std::int64_t batch, std::size_t index);
  void backward_parameters(const FusedOperation& operation, std::int64_t batch, std::size_t index, bool add,
                           float* gradients);

  std::vector<FusedOperation> operations_;
  std::size_t first_with_parameters_;                // an index into the operations; their number where there is none
  std::size_t code_operation_;                       // an index into the operations; their number without a dense one
  std::vector<std::vector<float>> activations_;      // [operation]: its input; the last: the logits
  std::vector<std::vector<std::int32_t>> argmax_;    // [operation]: empty but for max-pools
  std::vector<std::vector<std::uint8_t>> position_;  // [operation]: the argmax of fused blocks; empty elsewhere
  std::vector<float> gradient_;                      // by the output of the operation at hand
  std::vector<float> grad_input_;
  std::vector<float> added_;  // what is added to the gradients: those of one operation
  std::vector<std::uint8_t> labels_;
  Workspace workspace_;
  OperationRecorder* recorder_ = nullptr;
};

}  // namespace touchstone::cpu
