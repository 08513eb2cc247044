// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "host/check/operation_checks.h"
#include "host/check/rounded_optimizer.h"
#include "host/check/shapes.h"
#include "touchstone/optimizer.h"

namespace touchstone::check {
namespace {

/// Everything that one step reads. The moments are sgd's momentum buffer (the second unused) or Adam's two.
struct StepInputs {
  OptimizerSettings settings;
  OptimizerStep step;
  GuardedArray<float> gradients;
  GuardedArray<float> parameters;
  GuardedArray<float> first_moment;
  GuardedArray<float> second_moment;
};

class OptimizerTrial final : public Trial {
 public:
  OptimizerTrial(std::string name, bool exact, StepInputs inputs)
      : Trial(std::move(name)), exact_(exact), inputs_(std::move(inputs)) {}

  [[nodiscard]] Outputs run(DeviceOperations& device) const override {
    const auto& [settings, step, gradients, parameters, first, second] = inputs_;
    const std::int64_t count = gradients.size();
    Outputs outputs;
    float* p = outputs.add_in_place("parameters", parameters);
    if (settings.kind == OptimizerKind::sgd) {
      device.sgd(count, settings, step, gradients.data(), p, outputs.add_in_place("momentum_buffer", first));
      return outputs;
    }
    float* m = outputs.add_in_place("first_moment", first);
    float* v = outputs.add_in_place("second_moment", second);
    if (settings.kind == OptimizerKind::adam) {
      device.adam(count, settings, step, gradients.data(), p, m, v);
    } else {
      device.adamw(count, settings, step, gradients.data(), p, m, v);
    }
    return outputs;
  }

  [[nodiscard]] std::vector<Expected> expected(const Outputs& /*outputs*/,
                                               const DeviceOperations& /*device*/) const override {
    std::vector<Expected> result = reference_values();
    if (!exact_) add_bounds(result);
    return result;
  }

 private:
  [[nodiscard]] std::vector<Expected> reference_values() const {
    const std::int64_t count = inputs_.gradients.size();
    const std::vector<double> gradients = to_double(inputs_.gradients);
    Expected parameters{to_double(inputs_.parameters), {}};
    Expected first{to_double(inputs_.first_moment), {}};
    Expected second{to_double(inputs_.second_moment), {}};
    const OptimizerSettings& settings = inputs_.settings;
    const OptimizerStep& step = inputs_.step;
    double* p = parameters.values.data();
    double* m = first.values.data();
    double* v = second.values.data();
    switch (settings.kind) {
      case OptimizerKind::sgd:
        reference::sgd(count, settings, step, gradients.data(), p, m);
        return {std::move(parameters), std::move(first)};
      case OptimizerKind::adam:
        reference::adam(count, settings, step, gradients.data(), p, m, v);
        break;
      case OptimizerKind::adamw:
        reference::adamw(count, settings, step, gradients.data(), p, m, v);
        break;
    }
    return {std::move(parameters), std::move(first), std::move(second)};
  }

  void add_bounds(std::vector<Expected>& expected) const {
    for (std::int64_t i = 0; i < inputs_.gradients.size(); ++i) {
      const RoundedState after = bounded_step(i);
      const std::array errors = {after.parameter.error, after.first_moment.error, after.second_moment.error};
      for (std::size_t slot = 0; slot < expected.size(); ++slot) expected[slot].bounds.push_back(errors[slot]);
    }
  }

  [[nodiscard]] RoundedState bounded_step(std::int64_t i) const {
    const RoundedState before{Rounded::exact(inputs_.parameters[i]), Rounded::exact(inputs_.first_moment[i]),
                              Rounded::exact(inputs_.second_moment[i])};
    return optimizer_step(inputs_.settings, inputs_.step, before, Rounded::exact(inputs_.gradients[i]));
  }

  bool exact_;
  StepInputs inputs_;
};

/// Settings as they are used and at their limits.
StepInputs draw_settings(OptimizerKind kind, CaseRandom& random) {
  StepInputs inputs;
  inputs.settings.kind = kind;
  inputs.settings.momentum = kind == OptimizerKind::sgd ? random.pick({0.0, 0.9, 0.9, 0.99}) : 0.0;
  inputs.settings.weight_decay = random.pick({0.0, 0.0, 1e-4, 0.05});
  inputs.settings.beta1 = random.pick({0.9, 0.9, 0.0, 0.95});
  inputs.settings.beta2 = random.pick({0.999, 0.999, 0.9, 0.9999});
  inputs.settings.epsilon = random.pick({1e-8, 1e-8, 1e-3});
  inputs.step.learning_rate = random.pick({0.001, 0.05, 1.0, 1e-7});
  inputs.step.step = random.pick<std::int64_t>({1, 2, 10, 1000, 1'000'000});
  return inputs;
}

/// Gradients of many magnitudes and some zeros; moments as earlier steps leave them, zeros at the first.
void draw_tensors(StepInputs& inputs, std::int64_t count, CaseRandom& random) {
  inputs.parameters = random.reals(count);
  inputs.gradients = random.reals(count);
  inputs.first_moment = random.reals(count);
  inputs.second_moment = random.reals(count);
  for (std::int64_t i = 0; i < count; ++i) {
    const float scale = random.pick({0.0F, 1e-6F, 0.01F, 1.0F});
    inputs.gradients[i] *= scale;
    inputs.first_moment[i] *= inputs.step.step == 1 ? 0.0F : scale;
    const float root = inputs.step.step == 1 ? 0.0F : inputs.second_moment[i] * scale;
    inputs.second_moment[i] = root * root;
  }
}

std::string describe(const StepInputs& inputs) {
  const OptimizerSettings& s = inputs.settings;
  const std::string rule = s.kind == OptimizerKind::sgd
                               ? fmt::format("momentum={:g}", s.momentum)
                               : fmt::format("betas={:g},{:g} epsilon={:g}", s.beta1, s.beta2, s.epsilon);
  return fmt::format("{} weight_decay={:g} learning_rate={:g} step={}", rule, s.weight_decay, inputs.step.learning_rate,
                     inputs.step.step);
}

/// sgd alone is a sum of products: with powers of two as constants it is exact on integers.
StepInputs exact_sgd_inputs(std::int64_t count, CaseRandom& random) {
  StepInputs inputs;
  inputs.settings = {.kind = OptimizerKind::sgd, .momentum = 0.5, .weight_decay = 0.25};
  inputs.step.learning_rate = 0.125;
  inputs.gradients = random.integers(count, 1000);
  inputs.parameters = random.integers(count, 1000);
  inputs.first_moment = random.integers(count, 1000);
  return inputs;
}

Case make_case(OptimizerKind kind, std::int64_t index, CaseRandom& random) {
  const auto [count, label] = length(index, random);
  StepInputs inputs = draw_settings(kind, random);
  draw_tensors(inputs, count, random);
  Case result{fmt::format("{} {}", label, describe(inputs)), {}};
  result.trials.push_back(std::make_unique<OptimizerTrial>("bounded", false, std::move(inputs)));
  if (kind == OptimizerKind::sgd) {
    result.trials.push_back(std::make_unique<OptimizerTrial>("exact", true, exact_sgd_inputs(count, random)));
  }
  return result;
}

}  // namespace

Case sgd_case(std::int64_t index, CaseRandom& random) { return make_case(OptimizerKind::sgd, index, random); }

Case adam_case(std::int64_t index, CaseRandom& random) { return make_case(OptimizerKind::adam, index, random); }

Case adamw_case(std::int64_t index, CaseRandom& random) { return make_case(OptimizerKind::adamw, index, random); }

}  // namespace touchstone::check
