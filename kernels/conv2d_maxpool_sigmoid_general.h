// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/backend.h"
#include "touchstone/conv2d_maxpool_sigmoid.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// conv2d_maxpool_sigmoid_forward and _backward_data for any kernel size and a batch that is not empty.
void block_forward_general(const Conv2dMaxpoolSigmoidShape& shape, const float* input, const float* filters,
                           const float* bias, float* output, std::uint8_t* argmax, cudaStream_t stream);

void block_backward_data_general(const Conv2dMaxpoolSigmoidShape& shape, const float* grad_output, const float* output,
                                 const std::uint8_t* argmax, const float* filters, float* grad_input,
                                 cudaStream_t stream);

}  // namespace touchstone::TOUCHSTONE_BACKEND
