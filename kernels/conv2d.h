// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/backend.h"
#include "touchstone/conv2d.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// As reference::conv2d_forward in float32, on device memory; queued on `stream`. `bias` may be nullptr.
void conv2d_forward(const Conv2dShape& shape, const float* input, const float* filters, const float* bias,
                    float* output, cudaStream_t stream);

/// As reference::conv2d_backward_data.
void conv2d_backward_data(const Conv2dShape& shape, const float* grad_output, const float* filters, float* grad_input,
                          cudaStream_t stream);

/// Floats of workspace that conv2d_backward_filters needs.
[[nodiscard]] std::int64_t conv2d_backward_filters_workspace(const Conv2dShape& shape);

/// As reference::conv2d_backward_filters. Partial sums go to `workspace` and are added in a fixed order.
void conv2d_backward_filters(const Conv2dShape& shape, const float* grad_output, const float* input,
                             float* grad_filters, float* workspace, cudaStream_t stream);

/// Floats of workspace that conv2d_backward_bias needs.
[[nodiscard]] std::int64_t conv2d_backward_bias_workspace(const Conv2dShape& shape);

/// As reference::conv2d_backward_bias.
void conv2d_backward_bias(const Conv2dShape& shape, const float* grad_output, float* grad_bias, float* workspace,
                          cudaStream_t stream);

}  // namespace touchstone::TOUCHSTONE_BACKEND
