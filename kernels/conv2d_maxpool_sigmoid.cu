// SPDX-License-Identifier: Apache-2.0
//
// Convolution, max-pool and sigmoid as one, forward and backward: which kernel computes it (formulas, layouts, ties and
// NaN: include/touchstone/conv2d_maxpool_sigmoid.h).
//
//   forward           2 * N * K * C * taps * pool^2 * windows FLOPs; reads input and filters, writes 5 bytes a window
//   backward data     2 * N * K * C * taps * windows FLOPs, at the argmax positions alone; reads 9 bytes a window and
//                     the filters, writes the input's gradient
//   backward filters  the same number, in two stages: parts of the sum over the samples, then their sum in a fixed
//                     order; reads 9 bytes a window and the input
//   backward bias     4 * N * K * windows FLOPs; reads 8 bytes a window
//
// Square kernels of 1, 3, 5 and 7 go to the specialised kernels (conv2d_maxpool_sigmoid_forward.cu, _data.cu), others
// to the general ones (conv2d_maxpool_sigmoid_general.cu). The filters' gradient has one kernel for all
// (conv2d_maxpool_sigmoid_filters.cu), and the bias gradient is bias_gradient.cu's.
#include "kernels/bias_gradient.h"
#include "kernels/check.h"
#include "kernels/conv2d_maxpool_sigmoid.h"
#include "kernels/conv2d_maxpool_sigmoid_data.h"
#include "kernels/conv2d_maxpool_sigmoid_filters.h"
#include "kernels/conv2d_maxpool_sigmoid_forward.h"
#include "kernels/conv2d_maxpool_sigmoid_general.h"
#include "kernels/reduction.h"

namespace touchstone::TOUCHSTONE_BACKEND {
namespace {

BiasedPlanes biased_planes(const Conv2dMaxpoolSigmoidShape& shape) {
  return {.batch = shape.conv2d.batch, .filters = shape.conv2d.filters, .positions = shape.windows()};
}

}  // namespace

void conv2d_maxpool_sigmoid_forward(const Conv2dMaxpoolSigmoidShape& shape, const float* input, const float* filters,
                                    const float* bias, float* output, std::uint8_t* argmax, cudaStream_t stream) {
  shape.validate();
  if (shape.conv2d.batch == 0) {
    return;
  }
  if (block_is_tiled(shape)) {
    block_forward_tiled(shape, input, filters, bias, output, argmax, stream);
  } else {
    block_forward_general(shape, input, filters, bias, output, argmax, stream);
  }
}

void conv2d_maxpool_sigmoid_backward_data(const Conv2dMaxpoolSigmoidShape& shape, const float* grad_output,
                                          const float* output, const std::uint8_t* argmax, const float* filters,
                                          float* grad_input, cudaStream_t stream) {
  shape.validate();
  if (shape.conv2d.batch == 0) {
    return;
  }
  if (block_is_tiled(shape)) {
    block_backward_data_tiled(shape, grad_output, output, argmax, filters, grad_input, stream);
  } else {
    block_backward_data_general(shape, grad_output, output, argmax, filters, grad_input, stream);
  }
}

std::int64_t conv2d_maxpool_sigmoid_backward_filters_workspace(const Conv2dMaxpoolSigmoidShape& shape) {
  return shape.conv2d.batch == 0 ? 0 : plan_block_filters(shape).splits * shape.filters_count();
}

void conv2d_maxpool_sigmoid_backward_filters(const Conv2dMaxpoolSigmoidShape& shape, const float* grad_output,
                                             const float* output, const std::uint8_t* argmax, const float* input,
                                             float* grad_filters, float* workspace, cudaStream_t stream) {
  shape.validate();
  if (shape.conv2d.batch == 0) {
    check(cudaMemsetAsync(grad_filters, 0, static_cast<std::size_t>(shape.filters_count()) * sizeof(float), stream),
          "cudaMemsetAsync");
    return;
  }
  block_backward_filters_parts(shape, grad_output, output, argmax, input, workspace, stream);
  sum_rows(plan_block_filters(shape).splits, shape.filters_count(), workspace, grad_filters, stream);
}

std::int64_t conv2d_maxpool_sigmoid_backward_bias_workspace(const Conv2dMaxpoolSigmoidShape& shape) {
  return bias_gradient_workspace(biased_planes(shape));
}

void conv2d_maxpool_sigmoid_backward_bias(const Conv2dMaxpoolSigmoidShape& shape, const float* grad_output,
                                          const float* output, float* grad_bias, float* workspace,
                                          cudaStream_t stream) {
  shape.validate();
  bias_gradient(biased_planes(shape), grad_output, output, grad_bias, workspace, stream);
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
