// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/backend.h"
#include "touchstone/maxpool.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// As reference::maxpool_forward in float32, on device memory; queued on `stream`. Selects the very same elements.
void maxpool_forward(const MaxpoolShape& shape, const float* input, float* output, std::int32_t* argmax,
                     cudaStream_t stream);

/// As reference::maxpool_backward: the same sums in the same order.
void maxpool_backward(const MaxpoolShape& shape, const float* grad_output, const std::int32_t* argmax,
                      float* grad_input, cudaStream_t stream);

}  // namespace touchstone::TOUCHSTONE_BACKEND
