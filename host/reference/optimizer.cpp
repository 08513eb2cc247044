// SPDX-License-Identifier: Apache-2.0
//
// The update rules, elementwise and in double precision, for 0 <= i < count (w a parameter, d its gradient, r the
// learning rate, t the step counted from 1; formulas, defaults and conventions are those of PyTorch):
//
//   sgd     g = d + weight_decay * w
//           b = momentum * b + g
//           w = w - r * b
//   adam    g = d + weight_decay * w
//           m = beta1 * m + (1 - beta1) * g
//           v = beta2 * v + (1 - beta2) * g * g
//           w = w - r / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon)
//   adamw   w = w * (1 - r * weight_decay), then as adam with g = d
//
// In sgd and adam the weight decay is coupled: it is part of the gradient and so enters the moments. In adamw it is
// decoupled. All buffers start as zeros. A NaN gradient makes the parameter and its buffers NaN.
#include "touchstone/optimizer.h"

#include <cmath>
#include <cstdint>
#include <string_view>

#include <fmt/format.h>

#include "touchstone/error.h"

namespace touchstone {

namespace {

void require_below_one(std::string_view name, double value) {
  if (!(value >= 0 && value < 1)) {
    throw UsageError(fmt::format("{} is {}; it must be at least 0 and below 1", name, value));
  }
}

}  // namespace

std::string_view to_string(OptimizerKind kind) {
  switch (kind) {
    case OptimizerKind::sgd:
      return "sgd";
    case OptimizerKind::adam:
      return "adam";
    case OptimizerKind::adamw:
      return "adamw";
  }
  throw Error(fmt::format("optimizer kind {} is unknown", static_cast<int>(kind)));
}

void OptimizerSettings::validate() const {
  require_below_one("momentum", momentum);
  require_below_one("beta1", beta1);
  require_below_one("beta2", beta2);
  if (!(weight_decay >= 0 && std::isfinite(weight_decay))) {
    throw UsageError(fmt::format("weight decay is {}; it must be finite and at least 0", weight_decay));
  }
  if (!(epsilon > 0 && std::isfinite(epsilon))) {
    throw UsageError(fmt::format("epsilon is {}; it must be finite and above 0", epsilon));
  }
}

namespace reference {

namespace {

/// Adam's rule for one step, its constants computed once.
class AdamRule {
 public:
  AdamRule(const OptimizerSettings& settings, const OptimizerStep& step)
      : beta1_(settings.beta1),
        beta2_(settings.beta2),
        epsilon_(settings.epsilon),
        step_size_(step.learning_rate / (1 - std::pow(settings.beta1, static_cast<double>(step.step)))),
        root_correction2_(std::sqrt(1 - std::pow(settings.beta2, static_cast<double>(step.step)))) {}

  void update(double gradient, double& parameter, double& first_moment, double& second_moment) const {
    first_moment = beta1_ * first_moment + (1 - beta1_) * gradient;
    second_moment = beta2_ * second_moment + (1 - beta2_) * gradient * gradient;
    parameter -= step_size_ * first_moment / (std::sqrt(second_moment) / root_correction2_ + epsilon_);
  }

 private:
  double beta1_;
  double beta2_;
  double epsilon_;
  double step_size_;
  double root_correction2_;
};

}  // namespace

void sgd(std::int64_t count, const OptimizerSettings& settings, const OptimizerStep& step, const double* gradients,
         double* parameters, double* momentum_buffer) {
  for (std::int64_t i = 0; i < count; ++i) {
    const double gradient = gradients[i] + settings.weight_decay * parameters[i];
    momentum_buffer[i] = settings.momentum * momentum_buffer[i] + gradient;
    parameters[i] -= step.learning_rate * momentum_buffer[i];
  }
}

void adam(std::int64_t count, const OptimizerSettings& settings, const OptimizerStep& step, const double* gradients,
          double* parameters, double* first_moment, double* second_moment) {
  const AdamRule rule(settings, step);
  for (std::int64_t i = 0; i < count; ++i) {
    const double gradient = gradients[i] + settings.weight_decay * parameters[i];
    rule.update(gradient, parameters[i], first_moment[i], second_moment[i]);
  }
}

void adamw(std::int64_t count, const OptimizerSettings& settings, const OptimizerStep& step, const double* gradients,
           double* parameters, double* first_moment, double* second_moment) {
  const AdamRule rule(settings, step);
  const double kept = 1 - step.learning_rate * settings.weight_decay;
  for (std::int64_t i = 0; i < count; ++i) {
    parameters[i] *= kept;
    rule.update(gradients[i], parameters[i], first_moment[i], second_moment[i]);
  }
}

}  // namespace reference
}  // namespace touchstone
