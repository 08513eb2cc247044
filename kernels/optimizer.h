// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/backend.h"
#include "kernels/step.h"
#include "touchstone/optimizer.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// As reference::sgd in float32, on device memory, for all parameters in one launch; queued on `stream`. The step is
/// records[cursor->step]; without a cursor, records[0].
void sgd(std::int64_t count, const OptimizerSettings& settings, const StepRecord* records, const StepCursor* cursor,
         const float* gradients, float* parameters, float* momentum_buffer, cudaStream_t stream);

/// As reference::adam.
void adam(std::int64_t count, const OptimizerSettings& settings, const StepRecord* records, const StepCursor* cursor,
          const float* gradients, float* parameters, float* first_moment, float* second_moment, cudaStream_t stream);

/// As reference::adamw.
void adamw(std::int64_t count, const OptimizerSettings& settings, const StepRecord* records, const StepCursor* cursor,
           const float* gradients, float* parameters, float* first_moment, float* second_moment, cudaStream_t stream);

}  // namespace touchstone::TOUCHSTONE_BACKEND
