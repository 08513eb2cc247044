// SPDX-License-Identifier: Apache-2.0
//
// The chain rule, operation by operation: forward calls each operation's forward function in order, backward walks
// back and turns the gradient by an operation's output into the gradients by its parameters and by its input. The
// gradient by the images is not computed: nobody asks for it.
#include "host/reference/network_pass.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <variant>

#include "host/reference/executor_support.h"
#include "touchstone/conv2d.h"
#include "touchstone/dense.h"
#include "touchstone/maxpool.h"
#include "touchstone/sigmoid.h"

namespace touchstone::reference {

NetworkPass::NetworkPass(const ExecutionPlan& plan)
    : plan_(plan), activations_(plan.operations.size() + 1), argmax_(plan.operations.size()) {}

double* NetworkPass::begin(std::int64_t batch) {
  batch_ = batch;
  activations_.front().resize(static_cast<std::size_t>(batch * plan_.input_count));
  for (std::size_t o = 0; o < plan_.operations.size(); ++o) {
    const auto count = static_cast<std::size_t>(batch * plan_.operations[o].output_count);
    activations_[o + 1].resize(count);
    argmax_[o].resize(std::holds_alternative<MaxpoolShape>(plan_.operations[o].shape) ? count : 0);
  }
  return activations_.front().data();
}

const std::vector<double>& NetworkPass::forward(const std::vector<double>& parameters) {
  for (std::size_t o = 0; o < plan_.operations.size(); ++o) {
    const Operation& operation = plan_.operations[o];
    const double* weights = parameters.data() + operation.parameters.weights;
    const double* bias = parameters.data() + operation.parameters.bias;
    const double* input = activations_[o].data();
    double* output = activations_[o + 1].data();
    std::visit(
        Overloaded{
            [&](const Conv2dShape& shape) { conv2d_forward(with_batch(shape, batch_), input, weights, bias, output); },
            [&](const MaxpoolShape& shape) {
              maxpool_forward(with_batch(shape, batch_), input, output, argmax_[o].data());
            },
            [&](const SigmoidShape& shape) { sigmoid_forward(with_batch(shape, batch_).count, input, output); },
            [&](const DenseShape& shape) { dense_forward(with_batch(shape, batch_), input, weights, bias, output); }},
        operation.shape);
  }
  return activations_.back();
}

std::vector<double> NetworkPass::backward(const std::vector<double>& parameters,
                                          std::vector<double> grad_logits) const {
  std::vector<double> gradients(static_cast<std::size_t>(plan_.parameter_floats));
  std::vector<double> grad_output = std::move(grad_logits);
  for (std::size_t o = plan_.operations.size(); o-- > 0;) {
    const Operation& operation = plan_.operations[o];
    const double* weights = parameters.data() + operation.parameters.weights;
    double* grad_weights = gradients.data() + operation.parameters.weights;
    double* grad_bias = gradients.data() + operation.parameters.bias;
    const double* input = activations_[o].data();
    const double* output = activations_[o + 1].data();
    const double* g = grad_output.data();
    const bool reaches_images = o == 0;
    std::vector<double> grad_input(reaches_images ? 0 : activations_[o].size());

    std::visit(Overloaded{[&](const Conv2dShape& sample) {
                            const Conv2dShape shape = with_batch(sample, batch_);
                            conv2d_backward_filters(shape, g, input, grad_weights);
                            conv2d_backward_bias(shape, g, grad_bias);
                            if (!reaches_images) {
                              conv2d_backward_data(shape, g, weights, grad_input.data());
                            }
                          },
                          [&](const MaxpoolShape& sample) {
                            if (!reaches_images) {
                              maxpool_backward(with_batch(sample, batch_), g, argmax_[o].data(), grad_input.data());
                            }
                          },
                          [&](const SigmoidShape& sample) {
                            if (!reaches_images) {
                              sigmoid_backward(with_batch(sample, batch_).count, g, output, grad_input.data());
                            }
                          },
                          [&](const DenseShape& sample) {
                            const DenseShape shape = with_batch(sample, batch_);
                            std::vector<double> sum(static_cast<std::size_t>(shape.weights_count()));
                            dense_backward_weights(shape, g, input, sum.data());
                            // Tied layers add to the same gradient, which starts at 0.
                            std::transform(sum.begin(), sum.end(), grad_weights, grad_weights, std::plus<>());
                            dense_backward_bias(shape, g, grad_bias);
                            if (!reaches_images) {
                              dense_backward_data(shape, g, weights, grad_input.data());
                            }
                          }},
               operation.shape);
    grad_output = std::move(grad_input);
  }
  return gradients;
}

}  // namespace touchstone::reference
