// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/backend.h"
#include "kernels/step.h"
#include "touchstone/optimizer.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// The settings of an update rule, each rounded to float32 once.
struct OptimizerConstants {
  float momentum = 0;
  float weight_decay = 0;
  float beta1 = 0;
  float one_minus_beta1 = 0;
  float beta2 = 0;
  float one_minus_beta2 = 0;
  float epsilon = 0;
};

[[nodiscard]] inline OptimizerConstants optimizer_constants(const OptimizerSettings& settings) {
  return {.momentum = static_cast<float>(settings.momentum),
          .weight_decay = static_cast<float>(settings.weight_decay),
          .beta1 = static_cast<float>(settings.beta1),
          .one_minus_beta1 = static_cast<float>(1 - settings.beta1),
          .beta2 = static_cast<float>(settings.beta2),
          .one_minus_beta2 = static_cast<float>(1 - settings.beta2),
          .epsilon = static_cast<float>(settings.epsilon)};
}

/// SGD's step for one parameter, in place (include/touchstone/optimizer.h). Square roots and quotients of the rules are
/// rounded correctly.
__device__ __forceinline__ void sgd_rule(const OptimizerConstants& c, const StepRecord& record, float loss_gradient,
                                         float& parameter, float& momentum_buffer) {
  const float gradient = loss_gradient + c.weight_decay * parameter;
  const float velocity = c.momentum * momentum_buffer + gradient;
  momentum_buffer = velocity;
  parameter -= record.learning_rate * velocity;
}

/// Adam's step for one parameter, in place. DECOUPLED: the weight decay of AdamW, which never enters the moments.
template <bool DECOUPLED>
__device__ __forceinline__ void adam_rule(const OptimizerConstants& c, const StepRecord& record, float loss_gradient,
                                          float& parameter, float& first_moment, float& second_moment) {
  const float decayed = DECOUPLED ? parameter * record.decay : parameter;
  const float gradient = DECOUPLED ? loss_gradient : loss_gradient + c.weight_decay * decayed;
  const float m = c.beta1 * first_moment + c.one_minus_beta1 * gradient;
  const float v = c.beta2 * second_moment + c.one_minus_beta2 * gradient * gradient;
  first_moment = m;
  second_moment = v;
  parameter = decayed - record.adam_rate * m / (sqrtf(v) / record.second_moment_root + c.epsilon);
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
