// SPDX-License-Identifier: Apache-2.0
#include "host/check/operation_checks.h"
#include "host/check/shapes.h"
#include "host/check/sum_of_products.h"
#include "touchstone/dense.h"

namespace touchstone::check {
namespace {

SumOfProducts forward_sum(const DenseShape& shape) {
  return {.result = "output",
          .dimensions = {shape.batch, shape.out_features},
          .left_count = shape.input_count(),
          .right_count = shape.weights_count(),
          .addend_count = shape.out_features,
          .terms = shape.in_features + 1,
          .on_device = [shape](DeviceOperations& device, const float* input, const float* weights, const float* bias,
                               float* output) { device.dense_forward(shape, input, weights, bias, output); },
          .on_reference = [shape](const double* input, const double* weights, const double* bias,
                                  double* output) { reference::dense_forward(shape, input, weights, bias, output); }};
}

SumOfProducts backward_data_sum(const DenseShape& shape) {
  return {.result = "grad_input",
          .dimensions = {shape.batch, shape.in_features},
          .left_count = shape.output_count(),
          .right_count = shape.weights_count(),
          .terms = shape.out_features,
          .on_device =
              [shape](DeviceOperations& device, const float* grad_output, const float* weights, const float* /*addend*/,
                      float* grad_input) { device.dense_backward_data(shape, grad_output, weights, grad_input); },
          .on_reference =
              [shape](const double* grad_output, const double* weights, const double* /*addend*/, double* grad_input) {
                reference::dense_backward_data(shape, grad_output, weights, grad_input);
              }};
}

SumOfProducts backward_weights_sum(const DenseShape& shape) {
  return {.result = "grad_weights",
          .dimensions = shape.transposed_weights ? Dimensions{shape.in_features, shape.out_features}
                                                 : Dimensions{shape.out_features, shape.in_features},
          .left_count = shape.output_count(),
          .right_count = shape.input_count(),
          .terms = shape.batch,
          .on_device =
              [shape](DeviceOperations& device, const float* grad_output, const float* input, const float* /*addend*/,
                      float* grad_weights) { device.dense_backward_weights(shape, grad_output, input, grad_weights); },
          .on_reference =
              [shape](const double* grad_output, const double* input, const double* /*addend*/, double* grad_weights) {
                reference::dense_backward_weights(shape, grad_output, input, grad_weights);
              }};
}

SumOfProducts backward_bias_sum(const DenseShape& shape) {
  return {
      .result = "grad_bias",
      .dimensions = {shape.out_features},
      .left_count = shape.output_count(),
      .terms = shape.batch,
      .on_device = [shape](DeviceOperations& device, const float* grad_output, const float* /*right*/,
                           const float* /*addend*/,
                           float* grad_bias) { device.dense_backward_bias(shape, grad_output, grad_bias); },
      .on_reference = [shape](const double* grad_output, const double* /*right*/, const double* /*addend*/,
                              double* grad_bias) { reference::dense_backward_bias(shape, grad_output, grad_bias); }};
}

}  // namespace

Case dense_forward_case(std::int64_t index, CaseRandom& random) {
  const auto [shape, label] = dense_shape(index, random);
  Case result{label, {}};
  add_trials(result.trials, forward_sum(shape), random);
  return result;
}

Case dense_backward_case(std::int64_t index, CaseRandom& random) {
  const auto [shape, label] = dense_shape(index, random);
  Case result{label, {}};
  add_trials(result.trials, backward_data_sum(shape), random);
  add_trials(result.trials, backward_weights_sum(shape), random);
  add_trials(result.trials, backward_bias_sum(shape), random);
  return result;
}

}  // namespace touchstone::check
