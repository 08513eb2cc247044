// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

namespace touchstone {

/// The update rules on offer; their formulas and conventions are those of PyTorch's SGD, Adam and AdamW.
enum class OptimizerKind : std::uint8_t { sgd, adam, adamw };

/// "sgd", "adam" or "adamw".
std::string_view to_string(OptimizerKind kind);

/// The settings of an update rule, apart from the learning rate (which the schedule gives for each step).
struct OptimizerSettings {
  OptimizerKind kind = OptimizerKind::sgd;
  double momentum = 0;      ///< sgd only
  double weight_decay = 0;  ///< added to the gradient (sgd, adam) or applied to the parameters (adamw)
  double beta1 = 0.9;       ///< adam, adamw
  double beta2 = 0.999;     ///< adam, adamw
  double epsilon = 1e-8;    ///< adam, adamw

  /// Throws UsageError unless momentum and betas are in [0, 1), weight decay is not negative and epsilon is positive.
  void validate() const;

  /// How many values of state the rule keeps per parameter: 1 for sgd (the momentum buffer), 2 for adam and adamw.
  [[nodiscard]] int slots() const { return kind == OptimizerKind::sgd ? 1 : 2; }

  bool operator==(const OptimizerSettings&) const = default;
};

/// What one step of an update rule needs to know beside the tensors. `step` counts from 1.
struct OptimizerStep {
  double learning_rate = 0;
  std::int64_t step = 1;
};

namespace reference {

/// One step of sgd over `count` parameters, elementwise, in place:
///   g = gradient + weight_decay * parameter;  buffer = momentum * buffer + g;  parameter -= learning_rate * buffer.
/// The buffer starts as zeros, which gives PyTorch's first step (buffer = g).
void sgd(std::int64_t count, const OptimizerSettings& settings, const OptimizerStep& step, const double* gradients,
         double* parameters, double* momentum_buffer);

/// One step of Adam (Kingma and Ba, 2015), elementwise, in place; t = step.step:
///   g = gradient + weight_decay * parameter;  m = beta1*m + (1-beta1)*g;  v = beta2*v + (1-beta2)*g*g
///   parameter -= learning_rate / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + epsilon).
void adam(std::int64_t count, const OptimizerSettings& settings, const OptimizerStep& step, const double* gradients,
          double* parameters, double* first_moment, double* second_moment);

/// One step of AdamW (Loshchilov and Hutter, 2019): parameter *= 1 - learning_rate * weight_decay, then Adam's step
/// with the plain gradient.
void adamw(std::int64_t count, const OptimizerSettings& settings, const OptimizerStep& step, const double* gradients,
           double* parameters, double* first_moment, double* second_moment);

}  // namespace reference

namespace cpu {

/// As reference::sgd in float32; the constants are rounded to float32 once.
void sgd(std::int64_t count, const OptimizerSettings& settings, const OptimizerStep& step, const float* gradients,
         float* parameters, float* momentum_buffer);
/// As reference::adam in float32; learning_rate / (1 - beta1^t) and sqrt(1 - beta2^t) are computed in double.
void adam(std::int64_t count, const OptimizerSettings& settings, const OptimizerStep& step, const float* gradients,
          float* parameters, float* first_moment, float* second_moment);
/// As reference::adamw in float32.
void adamw(std::int64_t count, const OptimizerSettings& settings, const OptimizerStep& step, const float* gradients,
           float* parameters, float* first_moment, float* second_moment);

}  // namespace cpu
}  // namespace touchstone
