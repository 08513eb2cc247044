// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace touchstone {

namespace reference {

/// output[i] = 1 / (1 + exp(-input[i])), accurate for any input. `output` may be `input`.
void sigmoid_forward(std::int64_t count, const double* input, double* output);

/// grad_input[i] = grad_output[i] * s * (1 - s), with s = output[i] the sigmoid's stored output. In place is allowed.
void sigmoid_backward(std::int64_t count, const double* grad_output, const double* output, double* grad_input);

}  // namespace reference

namespace cpu {

/// As reference::sigmoid_forward in float32, a few ulps at most from the true value.
void sigmoid_forward(std::int64_t count, const float* input, float* output);
/// As reference::sigmoid_backward in float32.
void sigmoid_backward(std::int64_t count, const float* grad_output, const float* output, float* grad_input);

}  // namespace cpu
}  // namespace touchstone
