// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/backend.h"
#include "touchstone/optimizer.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// Where a run of steps is, in device memory: kernels read it there, so that one captured step serves for all.
struct StepCursor {
  std::int64_t step = 0;    ///< steps done since the run of steps began
  std::int64_t sample = 0;  ///< samples done since then: where the step's samples begin in the order
};

/// What changes from step to step, computed on the host in double precision and rounded once.
struct StepRecord {
  float learning_rate = 0;
  float adam_rate = 0;           ///< learning_rate / (1 - beta1^t)
  float second_moment_root = 1;  ///< sqrt(1 - beta2^t)
  float decay = 1;               ///< 1 - learning_rate * weight_decay
};

/// The record of a step.
[[nodiscard]] StepRecord make_step_record(const OptimizerSettings& settings, const OptimizerStep& step);

/// Moves the cursor on by one step of `samples` samples.
void advance(StepCursor* cursor, std::int64_t samples, cudaStream_t stream);

/// Where the cursor stands; 0 without one.
#if defined(__CUDACC__) || defined(TOUCHSTONE_EMULATED)
[[nodiscard]] __device__ __forceinline__ std::int64_t first_sample(const StepCursor* cursor) {
  return cursor == nullptr ? 0 : cursor->sample;
}
#endif

}  // namespace touchstone::TOUCHSTONE_BACKEND
