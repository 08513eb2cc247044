// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "host/reference/fused_plan.h"
#include "kernels/allocator.h"
#include "kernels/backend.h"
#include "kernels/handles.h"
#include "touchstone/operation_recorder.h"
#include "touchstone/plan.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// The forward and backward pass of a plan over one mini-batch on the device, operation by operation, each within an
/// NVTX range; blocks count as one operation where they are fused. Owns the tensors in between: every operation's
/// output, every max-pool's and block's argmax, two tensors that the gradient goes back and forth between, and the
/// workspace. What is within a fused block, its pre-activations, has no tensor.
class NetworkPass {
 public:
  /// With room for `batch_size` samples; `fuses_blocks`: as of fuse().
  NetworkPass(const ExecutionPlan& plan, std::int64_t batch_size, Allocator& allocator, bool fuses_blocks);

  /// Where the images [batch,input_count] go before a forward pass.
  [[nodiscard]] float* images() const { return activations_.front().data(); }
  /// Where they come out: the logits [batch,classes].
  [[nodiscard]] const float* logits() const { return activations_.back().data(); }
  /// What operation `index` of the plan read in the last forward pass: [batch,its input_count]; nullptr within a fused
  /// block.
  [[nodiscard]] const float* input_of(std::size_t index) const { return activations_[index].data(); }
  /// Where the gradient of the logits goes before a backward pass.
  [[nodiscard]] float* grad_logits() const { return grad_logits_.data(); }

  /// `recorder`: whom to tell of each operation; nullptr: nobody.
  void forward(std::int64_t batch, const float* parameters, cublasHandle_t blas, cudaStream_t stream,
               OperationRecorder* recorder) const;

  /// Writes the gradient of each parameter to its place in `gradients`, in the plan's flat layout; leaves the gaps.
  void backward(std::int64_t batch, const float* parameters, float* gradients, cublasHandle_t blas, cudaStream_t stream,
                OperationRecorder* recorder) const;

 private:
  std::vector<FusedOperation> operations_;
  std::size_t first_with_parameters_ = 0;        // an index into operations_; their number where there is none
  std::vector<Buffer<float>> activations_;       // [operation of the plan]: its input; the last: the logits
  std::vector<Buffer<std::int32_t>> offsets_;    // [operation]: argmax of a max-pool; empty elsewhere
  std::vector<Buffer<std::uint8_t>> positions_;  // [operation]: argmax of a block; empty elsewhere
  Buffer<float> grad_logits_;
  Buffer<float> grad_even_;  // the gradient at an operation's input, by the operation's place in operations_
  Buffer<float> grad_odd_;
  Buffer<float> workspace_;  // of the filter and bias gradients
};

}  // namespace touchstone::TOUCHSTONE_BACKEND
