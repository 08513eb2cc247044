// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/backend.h"
#include "touchstone/conv2d_maxpool_sigmoid.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// As reference::conv2d_maxpool_sigmoid_forward in float32, on device memory; queued on `stream`. `bias` may be
/// nullptr.
void conv2d_maxpool_sigmoid_forward(const Conv2dMaxpoolSigmoidShape& shape, const float* input, const float* filters,
                                    const float* bias, float* output, std::uint8_t* argmax, cudaStream_t stream);

/// As reference::conv2d_maxpool_sigmoid_backward_data. An infinite or NaN delta reaches all pixels that its
/// window may meet, whatever the argmax.
void conv2d_maxpool_sigmoid_backward_data(const Conv2dMaxpoolSigmoidShape& shape, const float* grad_output,
                                          const float* output, const std::uint8_t* argmax, const float* filters,
                                          float* grad_input, cudaStream_t stream);

/// Floats of workspace that conv2d_maxpool_sigmoid_backward_filters needs.
[[nodiscard]] std::int64_t conv2d_maxpool_sigmoid_backward_filters_workspace(const Conv2dMaxpoolSigmoidShape& shape);

/// As reference::conv2d_maxpool_sigmoid_backward_filters. Partial sums go to `workspace` and are added in a fixed
/// order. A pixel that is infinite or NaN reaches a filter's gradient where one of the filter's argmax positions leads
/// to it.
void conv2d_maxpool_sigmoid_backward_filters(const Conv2dMaxpoolSigmoidShape& shape, const float* grad_output,
                                             const float* output, const std::uint8_t* argmax, const float* input,
                                             float* grad_filters, float* workspace, cudaStream_t stream);

/// Floats of workspace that conv2d_maxpool_sigmoid_backward_bias needs.
[[nodiscard]] std::int64_t conv2d_maxpool_sigmoid_backward_bias_workspace(const Conv2dMaxpoolSigmoidShape& shape);

/// As reference::conv2d_maxpool_sigmoid_backward_bias.
void conv2d_maxpool_sigmoid_backward_bias(const Conv2dMaxpoolSigmoidShape& shape, const float* grad_output,
                                          const float* output, float* grad_bias, float* workspace, cudaStream_t stream);

}  // namespace touchstone::TOUCHSTONE_BACKEND
