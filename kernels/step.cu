// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "kernels/launch.h"
#include "kernels/step.h"

namespace touchstone::TOUCHSTONE_BACKEND {
namespace {

__global__ void advance_kernel(StepCursor* cursor, std::int64_t samples) {
  cursor->step += 1;
  cursor->sample += samples;
}

}  // namespace

StepRecord make_step_record(const OptimizerSettings& settings, const OptimizerStep& step) {
  const auto t = static_cast<double>(step.step);
  StepRecord record;
  record.learning_rate = static_cast<float>(step.learning_rate);
  record.adam_rate = static_cast<float>(step.learning_rate / (1 - std::pow(settings.beta1, t)));
  record.second_moment_root = static_cast<float>(std::sqrt(1 - std::pow(settings.beta2, t)));
  record.decay = static_cast<float>(1 - step.learning_rate * settings.weight_decay);
  return record;
}

void advance(StepCursor* cursor, std::int64_t samples, cudaStream_t stream) {
  launch(advance_kernel, dim3(1), dim3(1), 0, stream, cursor, samples);
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
