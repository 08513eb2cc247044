// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/backend.h"
#include "touchstone/conv2d.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// The convolution of any kernel, stride and padding as a product of matrices that are never stored: forward, backward
/// to the data, and backward to the filters in as many parts of the sum as conv2d_general_splits() says, each part
/// [filters,channels,taps] to its place in `partials`.
void conv2d_general_forward(const Conv2dShape& shape, const float* input, const float* filters, const float* bias,
                            float* output, cudaStream_t stream);
void conv2d_general_backward_data(const Conv2dShape& shape, const float* grad_output, const float* filters,
                                  float* grad_input, cudaStream_t stream);
void conv2d_general_backward_filters(const Conv2dShape& shape, const float* grad_output, const float* input,
                                     float* partials, cudaStream_t stream);

/// Parts of the sum over samples, each a row of blocks of its own. Depends on the shape alone, never on the device, so
/// that the order of the sum is the same everywhere. At least 1.
[[nodiscard]] std::int64_t conv2d_general_splits(const Conv2dShape& shape);

}  // namespace touchstone::TOUCHSTONE_BACKEND
