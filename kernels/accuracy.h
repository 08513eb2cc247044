// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/backend.h"
#include "kernels/step.h"
#include "touchstone/accuracy.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// correct[row] = 1 where the row's largest logit (the first of equals) stands at its label, else 0; queued on
/// `stream`. Written to correct + cursor->sample (to `correct` without a cursor). reference::accuracy is their sum,
/// which reduce_metrics() takes.
void accuracy(const SoftmaxCrossEntropyShape& shape, const float* logits, const std::uint8_t* labels,
              std::uint8_t* correct, const StepCursor* cursor, cudaStream_t stream);

}  // namespace touchstone::TOUCHSTONE_BACKEND
