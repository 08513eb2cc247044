// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <variant>

#include "host/reference/executor_support.h"
#include "kernels/conv2d.h"
#include "kernels/conv2d_maxpool_sigmoid.h"
#include "kernels/dense.h"
#include "kernels/maxpool.h"
#include "kernels/network_pass.h"
#include "kernels/profiling.h"
#include "kernels/sigmoid.h"
#include "touchstone/operation_cost.h"

namespace touchstone::TOUCHSTONE_BACKEND {
namespace {

// Floats of workspace that the backward pass of an operation needs for `batch` samples.
std::int64_t workspace_floats(const FusedOperation& operation, std::int64_t batch) {
  return std::visit(Overloaded{[batch](const Conv2dShape& shape) {
                                 const Conv2dShape batched = with_batch(shape, batch);
                                 return std::max(conv2d_backward_filters_workspace(batched),
                                                 conv2d_backward_bias_workspace(batched));
                               },
                               [batch](const Conv2dMaxpoolSigmoidShape& shape) {
                                 const Conv2dMaxpoolSigmoidShape batched = with_batch(shape, batch);
                                 return std::max(conv2d_maxpool_sigmoid_backward_filters_workspace(batched),
                                                 conv2d_maxpool_sigmoid_backward_bias_workspace(batched));
                               },
                               [](const auto& /*needs none*/) { return std::int64_t{0}; }},
                    operation.shape);
}

// The most workspace that any batch of up to `batch_size` samples needs: the parts of a sum need not grow with it.
std::int64_t largest_workspace(const FusedOperation& operation, std::int64_t batch_size) {
  std::int64_t most = 0;
  for (std::int64_t batch = 1; batch <= batch_size; ++batch) {
    most = std::max(most, workspace_floats(operation, batch));
  }
  return most;
}

// What an operation of a mini-batch works on.
struct OperationContext {
  std::int64_t batch;
  const FusedOperation& operation;
  const float* parameters;
  cublasHandle_t blas;
  cudaStream_t stream;
  OperationRecorder* recorder;

  [[nodiscard]] const ParameterSlot& slot() const { return operation.parameters; }
  [[nodiscard]] const float* weights() const { return parameters + slot().weights; }
  [[nodiscard]] const float* bias() const { return parameters + slot().bias; }
  // The range of what is queued while it lives.
  [[nodiscard]] OperationRange range(const OperationCost& cost) const { return {recorder, operation.layer, cost}; }
};

struct ForwardTensors {
  const float* input;
  float* output;
  std::int32_t* offsets;    // argmax of a max-pool
  std::uint8_t* positions;  // argmax of a block
};

void run_forward(const Conv2dShape& shape, const OperationContext& context, const ForwardTensors& t) {
  const Conv2dShape batched = with_batch(shape, context.batch);
  const OperationRange range = context.range(cost::forward(batched));
  conv2d_forward(batched, t.input, context.weights(), context.bias(), t.output, context.stream);
}

void run_forward(const MaxpoolShape& shape, const OperationContext& context, const ForwardTensors& t) {
  const MaxpoolShape batched = with_batch(shape, context.batch);
  const OperationRange range = context.range(cost::forward(batched));
  maxpool_forward(batched, t.input, t.output, t.offsets, context.stream);
}

void run_forward(const SigmoidShape& shape, const OperationContext& context, const ForwardTensors& t) {
  const SigmoidShape batched = with_batch(shape, context.batch);
  const OperationRange range = context.range(cost::forward(batched));
  sigmoid_forward(batched.count, t.input, t.output, context.stream);
}

void run_forward(const DenseShape& shape, const OperationContext& context, const ForwardTensors& t) {
  const DenseShape batched = with_batch(shape, context.batch);
  const OperationRange range = context.range(cost::forward(batched));
  dense_forward(batched, t.input, context.weights(), context.bias(), t.output, context.blas, context.stream);
}

void run_forward(const Conv2dMaxpoolSigmoidShape& shape, const OperationContext& context, const ForwardTensors& t) {
  const Conv2dMaxpoolSigmoidShape batched = with_batch(shape, context.batch);
  const OperationRange range = context.range(cost::forward(batched));
  conv2d_maxpool_sigmoid_forward(batched, t.input, context.weights(), context.bias(), t.output, t.positions,
                                 context.stream);
}

struct BackwardTensors {
  const float* input;
  const float* output;
  const std::int32_t* offsets;    // as above
  const std::uint8_t* positions;  // as above
  const float* grad_output;
  float* grad_input;  // nullptr where nothing before has parameters
  float* gradients;
  float* workspace;
};

void run_backward(const Conv2dShape& shape, const OperationContext& context, const BackwardTensors& t) {
  const Conv2dShape batched = with_batch(shape, context.batch);
  if (t.grad_input != nullptr) {
    const OperationRange range = context.range(cost::backward_data(batched));
    conv2d_backward_data(batched, t.grad_output, context.weights(), t.grad_input, context.stream);
  }
  {
    const OperationRange range = context.range(cost::backward_weights(batched));
    conv2d_backward_filters(batched, t.grad_output, t.input, t.gradients + context.slot().weights, t.workspace,
                            context.stream);
  }
  const OperationRange range = context.range(cost::backward_bias(batched));
  conv2d_backward_bias(batched, t.grad_output, t.gradients + context.slot().bias, t.workspace, context.stream);
}

void run_backward(const MaxpoolShape& shape, const OperationContext& context, const BackwardTensors& t) {
  const MaxpoolShape batched = with_batch(shape, context.batch);
  const OperationRange range = context.range(cost::backward_data(batched));
  maxpool_backward(batched, t.grad_output, t.offsets, t.grad_input, context.stream);
}

void run_backward(const SigmoidShape& shape, const OperationContext& context, const BackwardTensors& t) {
  const SigmoidShape batched = with_batch(shape, context.batch);
  const OperationRange range = context.range(cost::backward_data(batched));
  sigmoid_backward(batched.count, t.grad_output, t.output, t.grad_input, context.stream);
}

void run_backward(const DenseShape& shape, const OperationContext& context, const BackwardTensors& t) {
  const DenseShape batched = with_batch(shape, context.batch);
  if (t.grad_input != nullptr) {
    const OperationRange range = context.range(cost::backward_data(batched));
    dense_backward_data(batched, t.grad_output, context.weights(), t.grad_input, context.blas);
  }
  {
    const OperationRange range = context.range(cost::backward_weights(batched));
    dense_backward_weights(batched, t.grad_output, t.input, context.operation.adds_to_weights_gradient,
                           t.gradients + context.slot().weights, context.blas, context.stream);
  }
  const OperationRange range = context.range(cost::backward_bias(batched));
  dense_backward_bias(batched, t.grad_output, t.gradients + context.slot().bias, context.stream);
}

void run_backward(const Conv2dMaxpoolSigmoidShape& shape, const OperationContext& context, const BackwardTensors& t) {
  const Conv2dMaxpoolSigmoidShape batched = with_batch(shape, context.batch);
  if (t.grad_input != nullptr) {
    const OperationRange range = context.range(cost::backward_data(batched));
    conv2d_maxpool_sigmoid_backward_data(batched, t.grad_output, t.output, t.positions, context.weights(), t.grad_input,
                                         context.stream);
  }
  {
    const OperationRange range = context.range(cost::backward_weights(batched));
    conv2d_maxpool_sigmoid_backward_filters(batched, t.grad_output, t.output, t.positions, t.input,
                                            t.gradients + context.slot().weights, t.workspace, context.stream);
  }
  const OperationRange range = context.range(cost::backward_bias(batched));
  conv2d_maxpool_sigmoid_backward_bias(batched, t.grad_output, t.output, t.gradients + context.slot().bias, t.workspace,
                                       context.stream);
}

std::size_t find_first_with_parameters(const std::vector<FusedOperation>& operations) {
  const auto first = std::find_if(operations.begin(), operations.end(),
                                  [](const FusedOperation& operation) { return operation.parameters.bias_count > 0; });
  return static_cast<std::size_t>(first - operations.begin());
}

}  // namespace

NetworkPass::NetworkPass(const ExecutionPlan& plan, std::int64_t batch_size, Allocator& allocator, bool fuses_blocks)
    : operations_(fuse(plan, fuses_blocks)),
      first_with_parameters_(find_first_with_parameters(operations_)),
      activations_(plan.operations.size() + 1) {
  std::array<std::int64_t, 2> gradient_floats{};
  std::int64_t workspace = 0;
  activations_.front() = Buffer<float>(allocator, batch_size * plan.input_count, "the images");
  for (std::size_t i = 0; i < operations_.size(); ++i) {
    const FusedOperation& operation = operations_[i];
    const std::int64_t outputs = batch_size * operation.output_count;
    activations_[operation.end] = Buffer<float>(allocator, outputs, operation.layer + "'s output");
    const bool pools = std::holds_alternative<MaxpoolShape>(operation.shape);
    const bool is_block = std::holds_alternative<Conv2dMaxpoolSigmoidShape>(operation.shape);
    offsets_.emplace_back(allocator, pools ? outputs : 0, operation.layer + "'s argmax");
    positions_.emplace_back(allocator, is_block ? outputs : 0, operation.layer + "'s argmax");
    if (i > first_with_parameters_) {
      gradient_floats.at(i % 2) = std::max(gradient_floats.at(i % 2), batch_size * operation.input_count);
    }
    workspace = std::max(workspace, largest_workspace(operation, batch_size));
  }
  grad_logits_ = Buffer<float>(allocator, batch_size * plan.output_count, "the logits' gradient");
  grad_even_ = Buffer<float>(allocator, gradient_floats[0], "the gradients between layers");
  grad_odd_ = Buffer<float>(allocator, gradient_floats[1], "the gradients between layers");
  workspace_ = Buffer<float>(allocator, workspace, "the filter gradients' parts");
}

void NetworkPass::forward(std::int64_t batch, const float* parameters, cublasHandle_t blas, cudaStream_t stream,
                          OperationRecorder* recorder) const {
  for (std::size_t i = 0; i < operations_.size(); ++i) {
    const FusedOperation& operation = operations_[i];
    const OperationContext context{batch, operation, parameters, blas, stream, recorder};
    const ForwardTensors tensors{.input = activations_[operation.first].data(),
                                 .output = activations_[operation.end].data(),
                                 .offsets = offsets_[i].data(),
                                 .positions = positions_[i].data()};
    std::visit([&](const auto& shape) { run_forward(shape, context, tensors); }, operation.shape);
  }
}

void NetworkPass::backward(std::int64_t batch, const float* parameters, float* gradients, cublasHandle_t blas,
                           cudaStream_t stream, OperationRecorder* recorder) const {
  const float* grad_output = grad_logits_.data();
  for (std::size_t i = operations_.size(); i-- > first_with_parameters_;) {
    const FusedOperation& operation = operations_[i];
    const Buffer<float>& grad_input = i % 2 == 0 ? grad_even_ : grad_odd_;
    const OperationContext context{batch, operation, parameters, blas, stream, recorder};
    const BackwardTensors tensors{.input = activations_[operation.first].data(),
                                  .output = activations_[operation.end].data(),
                                  .offsets = offsets_[i].data(),
                                  .positions = positions_[i].data(),
                                  .grad_output = grad_output,
                                  .grad_input = i > first_with_parameters_ ? grad_input.data() : nullptr,
                                  .gradients = gradients,
                                  .workspace = workspace_.data()};
    std::visit([&](const auto& shape) { run_backward(shape, context, tensors); }, operation.shape);
    grad_output = tensors.grad_input;
  }
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
