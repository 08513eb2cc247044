// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/backend.h"
#include "kernels/step.h"
#include "touchstone/half_squared_error.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// As reference::half_squared_error in float32, on device memory; queued on `stream`. The losses go to
/// losses + cursor->sample (to `losses` without a cursor). `grad_outputs` may be nullptr: losses only.
void half_squared_error(const HalfSquaredErrorShape& shape, const float* outputs, const float* targets, float scale,
                        float* losses, float* grad_outputs, const StepCursor* cursor, cudaStream_t stream);

}  // namespace touchstone::TOUCHSTONE_BACKEND
