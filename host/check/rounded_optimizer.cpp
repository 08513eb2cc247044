// SPDX-License-Identifier: Apache-2.0
#include "host/check/rounded_optimizer.h"

#include <cmath>

namespace touchstone::check {
namespace {

Rounded decayed(const OptimizerSettings& settings, const Rounded& gradient, const Rounded& parameter) {
  return gradient + Rounded::constant(settings.weight_decay) * parameter;
}

RoundedState sgd(const OptimizerSettings& settings, const OptimizerStep& step, const RoundedState& before,
                 const Rounded& gradient) {
  const Rounded buffer =
      Rounded::constant(settings.momentum) * before.first_moment + decayed(settings, gradient, before.parameter);
  return {before.parameter - Rounded::constant(step.learning_rate) * buffer, buffer, {}};
}

RoundedState adam(const OptimizerSettings& settings, const OptimizerStep& step, const RoundedState& before,
                  const Rounded& gradient) {
  const auto t = static_cast<double>(step.step);
  const Rounded step_size = Rounded::constant(step.learning_rate / (1 - std::pow(settings.beta1, t)));
  const Rounded correction = Rounded::constant(std::sqrt(1 - std::pow(settings.beta2, t)));
  const Rounded first =
      Rounded::constant(settings.beta1) * before.first_moment + Rounded::constant(1 - settings.beta1) * gradient;
  const Rounded second = Rounded::constant(settings.beta2) * before.second_moment +
                         Rounded::constant(1 - settings.beta2) * gradient * gradient;
  const Rounded denominator = sqrt(second) / correction + Rounded::constant(settings.epsilon);
  return {before.parameter - step_size * first / denominator, first, second};
}

}  // namespace

RoundedState optimizer_step(const OptimizerSettings& settings, const OptimizerStep& step, const RoundedState& before,
                            const Rounded& gradient) {
  switch (settings.kind) {
    case OptimizerKind::sgd:
      return sgd(settings, step, before, gradient);
    case OptimizerKind::adam:
      return adam(settings, step, before, decayed(settings, gradient, before.parameter));
    default:
      break;
  }
  RoundedState decayed_first = before;
  decayed_first.parameter = before.parameter * Rounded::constant(1 - step.learning_rate * settings.weight_decay);
  return adam(settings, step, decayed_first, gradient);
}

}  // namespace touchstone::check
