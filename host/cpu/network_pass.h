// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "host/cpu/aligned_vector.h"
#include "host/cpu/fused_block.h"
#include "host/cpu/network_parameters.h"
#include "host/cpu/workspace.h"
#include "host/reference/fused_plan.h"
#include "touchstone/operation_recorder.h"
#include "touchstone/plan.h"

namespace touchstone::cpu {

/// The largest group of samples whose activations and gradients stay in a core's second-level cache while they go
/// through the whole network together: depends on the plan alone, and on whether its blocks are computed as one.
std::int64_t group_size(const ExecutionPlan& plan, bool blocks = true);

/// The forward and backward pass of a plan over one group of samples in one thread. Keeps what the backward pass needs
/// of the forward pass. Aligned so that what one thread writes here all the time shares no lines with another's, nor a
/// pair of lines that the processor fetches together.
class alignas(128) NetworkPass {
 public:
  /// For groups of up to `capacity` samples. `network` is of that plan, and outlives the pass.
  NetworkPass(const ExecutionPlan& plan, const NetworkParameters& network, std::int64_t capacity);

  /// Where the images [capacity, input_count] and labels [capacity] of the next group go.
  [[nodiscard]] float* images() { return stages_.front().input.data(); }
  [[nodiscard]] std::uint8_t* labels() { return labels_.data(); }

  /// Brings the filters of blocks into the orders that the passes read, unless those of this version are in them
  /// already; before forward(). Each thread has its own: what another has written is slow to come. `version` is not 0.
  void prepare(const float* parameters, std::uint64_t version);

  /// From the first `batch` images to their logits [batch, classes], which it returns. `parameters` in the plan's flat
  /// layout.
  const float* forward(const float* parameters, std::int64_t batch);

  /// The codes of the group that forward() has last taken through: see ExecutionPlan::code_operation.
  [[nodiscard]] const float* codes() const { return stages_[code_stage_].input.data(); }

  /// Whom to tell of each operation; nullptr: nobody.
  void record_with(OperationRecorder* recorder) { recorder_ = recorder; }
  [[nodiscard]] OperationRecorder* recorder() const { return recorder_; }

  /// Where the gradient by the logits [capacity, classes] goes before backward().
  [[nodiscard]] float* grad_logits() { return gradient_.data(); }

  /// From the gradient by the logits to the gradient by the parameters, as the network lays out sums: written to `sums`
  /// or, with `add`, added to what is there. The gradient by the images is not computed.
  void backward(const float* parameters, std::int64_t batch, bool add, float* sums);

  [[nodiscard]] Workspace& workspace() { return workspace_; }

 private:
  /// An operation, and what its forward pass leaves for its backward pass.
  struct Stage {
    const FusedOperation* operation = nullptr;
    const Conv2dMaxpoolSigmoidShape* block = nullptr;  // where it is one
    AlignedVector<float> input;                        // planes; of a block behind a block, nothing
    std::vector<std::int32_t> argmax;                  // of a max-pool

    // Of a block:
    AlignedVector<float> prepared;  // its filters (fused_block.h)
    // and with channels last:
    AlignedVector<float> images;  // nothing behind a block, whose outputs they are, nor of planes, which are the input
    AlignedVector<float> outputs;
    AlignedVector<std::uint8_t> positions;
  };

  [[nodiscard]] bool is_block(std::size_t index) const { return index < stages_.size() && stages_[index].block; }
  [[nodiscard]] float* input_of(std::size_t index) {
    return index < stages_.size() ? stages_[index].input.data() : logits_.data();
  }
  [[nodiscard]] const float* images_of(std::size_t index) const;
  void forward(const float* parameters, std::int64_t batch, std::size_t index);
  void forward_block(std::int64_t batch, std::size_t index);
  void backward_block(std::int64_t batch, std::size_t index, float* sums);
  void backward_images(const Conv2dMaxpoolSigmoidShape& shape, const BlockDeltas& deltas, std::size_t index);
  void backward_data(const float* parameters, std::int64_t batch, std::size_t index);
  void backward_parameters(std::int64_t batch, std::size_t index, bool add, float* sums);

  const NetworkParameters& network_;
  std::vector<Stage> stages_;
  std::uint64_t prepared_version_ = 0;
  std::size_t first_with_parameters_;  // an index into the stages; their number where there is none
  std::size_t code_stage_;             // an index into the stages
  AlignedVector<float> logits_;
  AlignedVector<float> gradient_;  // by the output of the operation at hand
  AlignedVector<float> grad_input_;
  std::vector<float> added_;  // what is added to the gradients: those of one operation
  std::vector<std::uint8_t> labels_;
  Workspace workspace_;
  OperationRecorder* recorder_ = nullptr;
};

}  // namespace touchstone::cpu
