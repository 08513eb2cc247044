// SPDX-License-Identifier: Apache-2.0
//
// The two-dimensional convolution, forward and backward: which kernel computes it (formulas and layouts:
// include/touchstone/conv2d.h).
//
//   forward           2 * N * K * C * taps * positions FLOPs; reads input and filters, writes output
//   backward data     the same number, on the gradients
//   backward filters  the same number, in two stages: parts of the sum over the samples, then their sum in a fixed
//                     order
//   backward bias     N * K * positions additions; reads the gradient once
//
// Stride 1 with square kernels of 1, 3, 5 and 7 goes to the tiled kernels (conv2d_tiled.cu, conv2d_filters_tiled.cu),
// everything else to the general one (conv2d_general.cu); the bias gradient is bias_gradient.cu's.
#include "kernels/bias_gradient.h"
#include "kernels/check.h"
#include "kernels/conv2d.h"
#include "kernels/conv2d_filters_tiled.h"
#include "kernels/conv2d_general.h"
#include "kernels/conv2d_tiled.h"
#include "kernels/reduction.h"

namespace touchstone::TOUCHSTONE_BACKEND {
namespace {

std::int64_t filters_splits(const Conv2dShape& shape) {
  return conv2d_is_tiled(shape) ? plan_conv2d_filters(shape, true).splits : conv2d_general_splits(shape);
}

BiasedPlanes biased_planes(const Conv2dShape& shape) {
  return {.batch = shape.batch, .filters = shape.filters, .positions = shape.out_positions()};
}

}  // namespace

void conv2d_forward(const Conv2dShape& shape, const float* input, const float* filters, const float* bias,
                    float* output, cudaStream_t stream) {
  shape.validate();
  if (shape.batch == 0) {
    return;
  }
  if (conv2d_is_tiled(shape)) {
    conv2d_tiled(shape, input, filters, bias, output, false, stream);
  } else {
    conv2d_general_forward(shape, input, filters, bias, output, stream);
  }
}

void conv2d_backward_data(const Conv2dShape& shape, const float* grad_output, const float* filters, float* grad_input,
                          cudaStream_t stream) {
  shape.validate();
  if (shape.batch == 0) {
    return;
  }
  if (conv2d_is_tiled(shape)) {
    conv2d_tiled(conv2d_data_gradient_shape(shape), grad_output, filters, nullptr, grad_input, true, stream);
  } else {
    conv2d_general_backward_data(shape, grad_output, filters, grad_input, stream);
  }
}

std::int64_t conv2d_backward_filters_workspace(const Conv2dShape& shape) {
  return shape.batch == 0 ? 0 : filters_splits(shape) * shape.filters_count();
}

void conv2d_backward_filters(const Conv2dShape& shape, const float* grad_output, const float* input,
                             float* grad_filters, float* workspace, cudaStream_t stream) {
  shape.validate();
  if (shape.batch == 0) {
    check(cudaMemsetAsync(grad_filters, 0, static_cast<std::size_t>(shape.filters_count()) * sizeof(float), stream),
          "cudaMemsetAsync");
    return;
  }
  if (conv2d_is_tiled(shape)) {
    conv2d_filters_tiled(shape, grad_output, input, workspace, stream);
  } else {
    conv2d_general_backward_filters(shape, grad_output, input, workspace, stream);
  }
  sum_rows(filters_splits(shape), shape.filters_count(), workspace, grad_filters, stream);
}

std::int64_t conv2d_backward_bias_workspace(const Conv2dShape& shape) {
  return bias_gradient_workspace(biased_planes(shape));
}

void conv2d_backward_bias(const Conv2dShape& shape, const float* grad_output, float* grad_bias, float* workspace,
                          cudaStream_t stream) {
  shape.validate();
  bias_gradient(biased_planes(shape), grad_output, nullptr, grad_bias, workspace, stream);
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
