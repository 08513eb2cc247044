// SPDX-License-Identifier: Apache-2.0
//
// The update rules in float32, elementwise: formulas in touchstone/optimizer.h. Constants are computed in double
// precision and rounded once.
#include "touchstone/optimizer.h"

#include <cmath>
#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/cpu/optimizer.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "host/cpu/optimizer_constants.h"
#include "host/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace touchstone::cpu {
namespace HWY_NAMESPACE {
namespace {

/// One vector of sgd.
HWY_INLINE void step_sgd(const SgdConstants& constants, FloatVector gradient, FloatVector& parameter,
                         FloatVector& buffer) {
  const Floats d;
  const FloatVector decayed = hn::MulAdd(hn::Set(d, constants.weight_decay), parameter, gradient);
  buffer = hn::MulAdd(hn::Set(d, constants.momentum), buffer, decayed);
  parameter = hn::NegMulAdd(hn::Set(d, constants.learning_rate), buffer, parameter);
}

/// One vector of adam and adamw, which differ in the constants alone.
HWY_INLINE void step_adam(const AdamConstants& constants, FloatVector gradient, FloatVector& parameter,
                          FloatVector& first_moment, FloatVector& second_moment) {
  const Floats d;
  const FloatVector g = hn::MulAdd(hn::Set(d, constants.weight_decay), parameter, gradient);
  const FloatVector kept = hn::Mul(hn::Set(d, constants.kept), parameter);
  first_moment =
      hn::MulAdd(hn::Set(d, constants.beta1), first_moment, hn::Mul(hn::Set(d, constants.one_minus_beta1), g));
  second_moment = hn::MulAdd(hn::Set(d, constants.beta2), second_moment,
                             hn::Mul(hn::Mul(hn::Set(d, constants.one_minus_beta2), g), g));
  const FloatVector root = hn::Div(hn::Sqrt(second_moment), hn::Set(d, constants.root_correction));
  const FloatVector change =
      hn::Div(hn::Mul(hn::Set(d, constants.step_size), first_moment), hn::Add(root, hn::Set(d, constants.epsilon)));
  parameter = hn::Sub(kept, change);
}

void sgd_kernel(std::int64_t count, const SgdConstants& constants, const float* gradients, float* parameters,
                float* momentum_buffer) {
  const std::int64_t lanes = float_lanes();
  for (std::int64_t i = 0; i < count; i += lanes) {
    const std::int64_t part = count - i < lanes ? count - i : lanes;
    FloatVector parameter = load_first(parameters + i, part);
    FloatVector buffer = load_first(momentum_buffer + i, part);
    step_sgd(constants, load_first(gradients + i, part), parameter, buffer);
    store_first(parameter, parameters + i, part);
    store_first(buffer, momentum_buffer + i, part);
  }
}

void adam_kernel(std::int64_t count, const AdamConstants& constants, const float* gradients, float* parameters,
                 float* first_moment, float* second_moment) {
  const std::int64_t lanes = float_lanes();
  for (std::int64_t i = 0; i < count; i += lanes) {
    const std::int64_t part = count - i < lanes ? count - i : lanes;
    FloatVector parameter = load_first(parameters + i, part);
    FloatVector m = load_first(first_moment + i, part);
    FloatVector v = load_first(second_moment + i, part);
    step_adam(constants, load_first(gradients + i, part), parameter, m, v);
    store_first(parameter, parameters + i, part);
    store_first(m, first_moment + i, part);
    store_first(v, second_moment + i, part);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace touchstone::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace touchstone::cpu {

namespace {

HWY_EXPORT(sgd_kernel);
HWY_EXPORT(adam_kernel);

AdamConstants adam_constants(const OptimizerSettings& settings, const OptimizerStep& step) {
  const auto t = static_cast<double>(step.step);
  return {.beta1 = static_cast<float>(settings.beta1),
          .beta2 = static_cast<float>(settings.beta2),
          .one_minus_beta1 = static_cast<float>(1 - settings.beta1),
          .one_minus_beta2 = static_cast<float>(1 - settings.beta2),
          .step_size = static_cast<float>(step.learning_rate / (1 - std::pow(settings.beta1, t))),
          .root_correction = static_cast<float>(std::sqrt(1 - std::pow(settings.beta2, t))),
          .epsilon = static_cast<float>(settings.epsilon)};
}

}  // namespace

void sgd(std::int64_t count, const OptimizerSettings& settings, const OptimizerStep& step, const float* gradients,
         float* parameters, float* momentum_buffer) {
  const SgdConstants constants{.weight_decay = static_cast<float>(settings.weight_decay),
                               .momentum = static_cast<float>(settings.momentum),
                               .learning_rate = static_cast<float>(step.learning_rate)};
  HWY_DYNAMIC_DISPATCH(sgd_kernel)(count, constants, gradients, parameters, momentum_buffer);
}

void adam(std::int64_t count, const OptimizerSettings& settings, const OptimizerStep& step, const float* gradients,
          float* parameters, float* first_moment, float* second_moment) {
  AdamConstants constants = adam_constants(settings, step);
  constants.weight_decay = static_cast<float>(settings.weight_decay);
  HWY_DYNAMIC_DISPATCH(adam_kernel)(count, constants, gradients, parameters, first_moment, second_moment);
}

void adamw(std::int64_t count, const OptimizerSettings& settings, const OptimizerStep& step, const float* gradients,
           float* parameters, float* first_moment, float* second_moment) {
  AdamConstants constants = adam_constants(settings, step);
  constants.kept = static_cast<float>(1 - step.learning_rate * settings.weight_decay);
  HWY_DYNAMIC_DISPATCH(adam_kernel)(count, constants, gradients, parameters, first_moment, second_moment);
}

}  // namespace touchstone::cpu

#endif  // HWY_ONCE
