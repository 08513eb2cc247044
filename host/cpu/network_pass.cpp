// SPDX-License-Identifier: Apache-2.0
#include "host/cpu/network_pass.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <variant>

#include "host/cpu/partial_sums.h"
#include "host/reference/executor_support.h"
#include "touchstone/conv2d.h"
#include "touchstone/conv2d_maxpool_sigmoid.h"
#include "touchstone/dense.h"
#include "touchstone/maxpool.h"
#include "touchstone/operation_cost.h"
#include "touchstone/sigmoid.h"

namespace touchstone::cpu {

namespace {

/// The part of a core's second-level cache that a group may fill (the smallest in use have 256 KiB), and the most
/// samples in a group: larger ones gain nothing.
constexpr std::int64_t group_bytes = std::int64_t{512} * 1024;
constexpr std::int64_t largest_group = 8;

std::size_t to_size(std::int64_t count) { return static_cast<std::size_t>(count); }

}  // namespace

std::int64_t group_size(const ExecutionPlan& plan) {
  std::int64_t floats = plan.input_count;
  for (const FusedOperation& operation : fuse(plan)) {
    floats += operation.output_count;
  }
  return std::clamp<std::int64_t>(group_bytes / (floats * static_cast<std::int64_t>(sizeof(float))), 1, largest_group);
}

NetworkPass::NetworkPass(const ExecutionPlan& plan, std::int64_t capacity)
    : operations_(fuse(plan)),
      first_with_parameters_(operations_.size()),
      code_operation_(operations_.size()),
      labels_(to_size(capacity)) {
  std::int64_t largest = plan.classes;
  std::int64_t most_parameters = 0;
  activations_.emplace_back(to_size(capacity * plan.input_count));
  for (std::size_t i = 0; i < operations_.size(); ++i) {
    const FusedOperation& operation = operations_[i];
    activations_.emplace_back(to_size(capacity * operation.output_count));
    const bool pools = std::holds_alternative<MaxpoolShape>(operation.shape);
    argmax_.emplace_back(pools ? to_size(capacity * operation.output_count) : 0);
    const bool is_block = std::holds_alternative<Conv2dMaxpoolSigmoidShape>(operation.shape);
    position_.emplace_back(is_block ? to_size(capacity * operation.output_count) : 0);
    const ParameterSlot& slot = operation.parameters;
    if (slot.weights_count > 0) {
      first_with_parameters_ = std::min(first_with_parameters_, i);
    }
    if (std::holds_alternative<DenseShape>(operation.shape)) {
      code_operation_ = i;
    }
    largest = std::max({largest, operation.input_count, operation.output_count});
    most_parameters = std::max({most_parameters, slot.weights_count, slot.bias_count});
  }
  gradient_.resize(to_size(capacity * largest));
  grad_input_.resize(to_size(capacity * largest));
  added_.resize(to_size(most_parameters));
}

const float* NetworkPass::forward(const float* parameters, std::int64_t batch) {
  for (std::size_t i = 0; i < operations_.size(); ++i) {
    forward(operations_[i], parameters, batch, i);
  }
  return activations_.back().data();
}

void NetworkPass::forward(const FusedOperation& operation, const float* parameters, std::int64_t batch,
                          std::size_t index) {
  const float* weights = parameters + operation.parameters.weights;
  const float* bias = parameters + operation.parameters.bias;
  const float* input = activations_[index].data();
  float* output = activations_[index + 1].data();
  const OperationScope scope(recorder_, operation.layer, [&] {
    return std::visit([&](const auto& shape) { return cost::forward(with_batch(shape, batch)); }, operation.shape);
  });
  std::visit(
      Overloaded{[&](const Conv2dShape& shape) {
                   conv2d_forward(with_batch(shape, batch), input, weights, bias, output, workspace_);
                 },
                 [&](const Conv2dMaxpoolSigmoidShape& shape) {
                   conv2d_maxpool_sigmoid_forward(with_batch(shape, batch), input, weights, bias, output,
                                                  position_[index].data(), workspace_);
                 },
                 [&](const MaxpoolShape& shape) {
                   maxpool_forward(with_batch(shape, batch), input, output, argmax_[index].data());
                 },
                 [&](const SigmoidShape& shape) { sigmoid_forward(with_batch(shape, batch).count, input, output); },
                 [&](const DenseShape& shape) {
                   dense_forward(with_batch(shape, batch), input, weights, bias, output, workspace_);
                 }},
      operation.shape);
}

void NetworkPass::backward(const float* parameters, std::int64_t batch, bool add, float* gradients) {
  for (std::size_t i = operations_.size(); i-- > first_with_parameters_;) {
    const FusedOperation& operation = operations_[i];
    if (operation.parameters.weights_count > 0) {
      backward_parameters(operation, batch, i, add, gradients);
    }
    if (i > first_with_parameters_) {
      backward_data(operation, parameters, batch, i);
      std::swap(gradient_, grad_input_);
    }
  }
}

void NetworkPass::backward_data(const FusedOperation& operation, const float* parameters, std::int64_t batch,
                                std::size_t index) {
  const float* weights = parameters + operation.parameters.weights;
  const float* gradient = gradient_.data();
  float* grad_input = grad_input_.data();
  const OperationScope scope(recorder_, operation.layer, [&] {
    return std::visit([&](const auto& shape) { return cost::backward_data(with_batch(shape, batch)); },
                      operation.shape);
  });
  std::visit(Overloaded{[&](const Conv2dShape& shape) {
                          conv2d_backward_data(with_batch(shape, batch), gradient, weights, grad_input, workspace_);
                        },
                        [&](const Conv2dMaxpoolSigmoidShape& shape) {
                          conv2d_maxpool_sigmoid_backward_data(with_batch(shape, batch), gradient,
                                                               activations_[index + 1].data(), position_[index].data(),
                                                               weights, grad_input, workspace_);
                        },
                        [&](const MaxpoolShape& shape) {
                          maxpool_backward(with_batch(shape, batch), gradient, argmax_[index].data(), grad_input);
                        },
                        [&](const SigmoidShape& shape) {
                          sigmoid_backward(with_batch(shape, batch).count, gradient, activations_[index + 1].data(),
                                           grad_input);
                        },
                        [&](const DenseShape& shape) {
                          dense_backward_data(with_batch(shape, batch), gradient, weights, grad_input, workspace_);
                        }},
             operation.shape);
}

void NetworkPass::backward_parameters(const FusedOperation& operation, std::int64_t batch, std::size_t index, bool add,
                                      float* gradients) {
  const ParameterSlot& slot = operation.parameters;
  const float* input = activations_[index].data();
  const float* gradient = gradient_.data();
  // Runs `compute` on the place of `count` gradients or, to add, on a place apart.
  const auto deliver = [&](std::int64_t begin, std::int64_t count, const auto& cost, const auto& compute) {
    const OperationScope scope(recorder_, operation.layer, cost);
    float* place = gradients + begin;
    compute(add ? added_.data() : place);
    if (add) {
      const std::array<const float*, 2> partials{place, added_.data()};
      sum_partials(partials, 0, count, place);
    }
  };
  const auto deliver_both = [&](const auto& shape, const auto& weights, const auto& bias) {
    deliver(
        slot.weights, slot.weights_count, [&] { return cost::backward_weights(shape); }, weights);
    deliver(
        slot.bias, slot.bias_count, [&] { return cost::backward_bias(shape); }, bias);
  };
  if (const auto* conv2d = std::get_if<Conv2dShape>(&operation.shape)) {
    const Conv2dShape shape = with_batch(*conv2d, batch);
    deliver_both(
        shape, [&](float* to) { conv2d_backward_filters(shape, gradient, input, to, workspace_); },
        [&](float* to) { conv2d_backward_bias(shape, gradient, to, workspace_); });
  } else if (const auto* block = std::get_if<Conv2dMaxpoolSigmoidShape>(&operation.shape)) {
    const Conv2dMaxpoolSigmoidShape shape = with_batch(*block, batch);
    const float* output = activations_[index + 1].data();
    deliver_both(
        shape,
        [&](float* to) {
          conv2d_maxpool_sigmoid_backward_filters(shape, gradient, output, position_[index].data(), input, to,
                                                  workspace_);
        },
        [&](float* to) { conv2d_maxpool_sigmoid_backward_bias(shape, gradient, output, to, workspace_); });
  } else if (const auto* dense = std::get_if<DenseShape>(&operation.shape)) {
    const DenseShape shape = with_batch(*dense, batch);
    deliver_both(
        shape, [&](float* to) { dense_backward_weights(shape, gradient, input, to, workspace_); },
        [&](float* to) { dense_backward_bias(shape, gradient, to, workspace_); });
  }
}

}  // namespace touchstone::cpu
