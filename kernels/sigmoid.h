// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/backend.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// As reference::sigmoid_forward in float32, on device memory; queued on `stream`. In place is allowed.
void sigmoid_forward(std::int64_t count, const float* input, float* output, cudaStream_t stream);

/// As reference::sigmoid_backward. In place is allowed.
void sigmoid_backward(std::int64_t count, const float* grad_output, const float* output, float* grad_input,
                      cudaStream_t stream);

}  // namespace touchstone::TOUCHSTONE_BACKEND
