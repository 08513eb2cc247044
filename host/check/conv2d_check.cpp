// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "host/check/operation_checks.h"
#include "host/check/shapes.h"
#include "host/check/sum_of_products.h"
#include "touchstone/conv2d.h"

namespace touchstone::check {
namespace {

/// An operation with the shapes of a convolution; `describe_sum` says which sum of products it is.
template <class DescribeSum>
Case make_case(std::int64_t index, CaseRandom& random, const DescribeSum& describe_sum) {
  const auto [shape, label] = conv2d_shape(index, random);
  Case result{label, {}};
  add_trials(result.trials, describe_sum(shape), random);
  return result;
}

SumOfProducts forward_sum(const Conv2dShape& shape) {
  return {.result = "output",
          .dimensions = {shape.batch, shape.filters, shape.out_h(), shape.out_w()},
          .left_count = shape.input_count(),
          .right_count = shape.filters_count(),
          .addend_count = shape.filters,
          .terms = shape.channels * shape.taps() + 1,
          .on_device = [shape](DeviceOperations& device, const float* input, const float* filters, const float* bias,
                               float* output) { device.conv2d_forward(shape, input, filters, bias, output); },
          .on_reference = [shape](const double* input, const double* filters, const double* bias,
                                  double* output) { reference::conv2d_forward(shape, input, filters, bias, output); }};
}

SumOfProducts backward_data_sum(const Conv2dShape& shape) {
  return {.result = "grad_input",
          .dimensions = {shape.batch, shape.channels, shape.height, shape.width},
          .left_count = shape.output_count(),
          .right_count = shape.filters_count(),
          .terms = shape.filters * shape.taps(),
          .on_device =
              [shape](DeviceOperations& device, const float* grad_output, const float* filters, const float* /*addend*/,
                      float* grad_input) { device.conv2d_backward_data(shape, grad_output, filters, grad_input); },
          .on_reference =
              [shape](const double* grad_output, const double* filters, const double* /*addend*/, double* grad_input) {
                reference::conv2d_backward_data(shape, grad_output, filters, grad_input);
              }};
}

SumOfProducts backward_filters_sum(const Conv2dShape& shape) {
  return {.result = "grad_filters",
          .dimensions = {shape.filters, shape.channels, shape.kernel_h, shape.kernel_w},
          .left_count = shape.output_count(),
          .right_count = shape.input_count(),
          .terms = shape.batch * shape.out_positions(),
          .on_device =
              [shape](DeviceOperations& device, const float* grad_output, const float* input, const float* /*addend*/,
                      float* grad_filters) { device.conv2d_backward_filters(shape, grad_output, input, grad_filters); },
          .on_reference =
              [shape](const double* grad_output, const double* input, const double* /*addend*/, double* grad_filters) {
                reference::conv2d_backward_filters(shape, grad_output, input, grad_filters);
              }};
}

SumOfProducts backward_bias_sum(const Conv2dShape& shape) {
  return {
      .result = "grad_bias",
      .dimensions = {shape.filters},
      .left_count = shape.output_count(),
      .terms = shape.batch * shape.out_positions(),
      .on_device = [shape](DeviceOperations& device, const float* grad_output, const float* /*right*/,
                           const float* /*addend*/,
                           float* grad_bias) { device.conv2d_backward_bias(shape, grad_output, grad_bias); },
      .on_reference = [shape](const double* grad_output, const double* /*right*/, const double* /*addend*/,
                              double* grad_bias) { reference::conv2d_backward_bias(shape, grad_output, grad_bias); }};
}

}  // namespace

Case conv2d_forward_case(std::int64_t index, CaseRandom& random) { return make_case(index, random, forward_sum); }

Case conv2d_backward_data_case(std::int64_t index, CaseRandom& random) {
  return make_case(index, random, backward_data_sum);
}

Case conv2d_backward_filters_case(std::int64_t index, CaseRandom& random) {
  return make_case(index, random, backward_filters_sum);
}

Case conv2d_backward_bias_case(std::int64_t index, CaseRandom& random) {
  return make_case(index, random, backward_bias_sum);
}

}  // namespace touchstone::check
