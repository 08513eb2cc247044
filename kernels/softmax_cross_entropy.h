// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/backend.h"
#include "kernels/step.h"
#include "touchstone/softmax_cross_entropy.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// As reference::softmax_cross_entropy in float32, on device memory; queued on `stream`. The losses go to
/// losses + cursor->sample (to `losses` without a cursor). `grad_logits` may be nullptr: losses only.
void softmax_cross_entropy(const SoftmaxCrossEntropyShape& shape, const float* logits, const std::uint8_t* labels,
                           float scale, float* losses, float* grad_logits, const StepCursor* cursor,
                           cudaStream_t stream);

}  // namespace touchstone::TOUCHSTONE_BACKEND
