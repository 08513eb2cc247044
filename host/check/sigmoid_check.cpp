// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <bit>
#include <limits>
#include <memory>
#include <utility>

#include "host/check/operation_checks.h"
#include "host/check/rounded.h"
#include "host/check/shapes.h"
#include "touchstone/sigmoid.h"

namespace touchstone::check {
namespace {

using Limits = std::numeric_limits<float>;

/// Where sigmoids go wrong: zeros, saturation at both ends, the overflow of exp, subnormal numbers, infinities, NaN.
constexpr std::array special_points = {0.0F,
                                       -0.0F,
                                       1.0F,
                                       -1.0F,
                                       0.5F,
                                       -0.5F,
                                       16.6F,
                                       17.4F,
                                       -17.4F,
                                       -86.0F,
                                       -87.3F,
                                       -87.4F,
                                       -88.6F,
                                       -88.8F,
                                       -103.0F,
                                       -104.0F,
                                       86.0F,
                                       88.6F,
                                       88.8F,
                                       104.0F,
                                       1e-7F,
                                       -1e-7F,
                                       1e4F,
                                       -1e4F,
                                       1e-38F,
                                       -1e-38F,
                                       1e-45F,
                                       -1e-45F,
                                       Limits::max(),
                                       -Limits::max(),
                                       Limits::infinity(),
                                       -Limits::infinity(),
                                       -10.0F,
                                       10.0F,
                                       Limits::quiet_NaN()};

/// Forward, bounded by the roundings of 1 / (1 + exp(-x)): see Rounded's sigmoid().
class SigmoidForward final : public Trial {
 public:
  SigmoidForward(std::string name, GuardedArray<float> input) : Trial(std::move(name)), input_(std::move(input)) {}

  [[nodiscard]] Outputs run(DeviceOperations& device) const override {
    Outputs outputs;
    device.sigmoid_forward(input_.size(), input_.data(), outputs.add<float>("output", {input_.size()}));
    return outputs;
  }

  [[nodiscard]] std::vector<Expected> expected(const Outputs& /*outputs*/,
                                               const DeviceOperations& /*device*/) const override {
    Expected output{std::vector<double>(input_.values().size()), {}};
    reference::sigmoid_forward(input_.size(), to_double(input_).data(), output.values.data());
    for (const float x : input_.values()) output.bounds.push_back(sigmoid(Rounded::exact(x)).error);
    return {std::move(output)};
  }

 private:
  GuardedArray<float> input_;
};

/// Backward, from the stored output s: g * s * (1 - s), three roundings (1 - s has none from 1/2 up).
class SigmoidBackward final : public Trial {
 public:
  SigmoidBackward(std::string name, GuardedArray<float> grad_output, GuardedArray<float> output)
      : Trial(std::move(name)), grad_output_(std::move(grad_output)), output_(std::move(output)) {}

  [[nodiscard]] Outputs run(DeviceOperations& device) const override {
    Outputs outputs;
    device.sigmoid_backward(output_.size(), grad_output_.data(), output_.data(),
                            outputs.add<float>("grad_input", {output_.size()}));
    return outputs;
  }

  [[nodiscard]] std::vector<Expected> expected(const Outputs& /*outputs*/,
                                               const DeviceOperations& /*device*/) const override {
    Expected grad_input{std::vector<double>(output_.values().size()), {}};
    reference::sigmoid_backward(output_.size(), to_double(grad_output_).data(), to_double(output_).data(),
                                grad_input.values.data());
    for (std::int64_t i = 0; i < output_.size(); ++i) {
      const Rounded s = Rounded::exact(output_[i]);
      grad_input.bounds.push_back((Rounded::exact(grad_output_[i]) * s * (Rounded::exact(1) - s)).error);
    }
    return {std::move(grad_input)};
  }

 private:
  GuardedArray<float> grad_output_;
  GuardedArray<float> output_;
};

/// Any float32 at all: its bits are random.
GuardedArray<float> any_bits(std::int64_t count, CaseRandom& random) {
  GuardedArray<float> values(count);
  for (float& value : values.values()) value = std::bit_cast<float>(random.word());
  return values;
}

/// Reals in (-range, range).
GuardedArray<float> within(float range, std::int64_t count, CaseRandom& random) {
  GuardedArray<float> values(count);
  for (float& value : values.values()) value = range * (2.0F * random.unit() - 1.0F);
  return values;
}

/// Outputs of a sigmoid: in [0, 1), some of them exactly 0, 1 or 1/2.
GuardedArray<float> sigmoid_values(std::int64_t count, CaseRandom& random) {
  GuardedArray<float> values(count);
  for (float& value : values.values())
    value = random.one_in(8) ? random.pick({0.0F, 1.0F, 0.5F, 0x1p-30F}) : random.unit();
  return values;
}

}  // namespace

Case sigmoid_forward_case(std::int64_t index, CaseRandom& random) {
  const auto [count, label] = length(index, random);
  Case result{label, {}};
  result.trials.push_back(std::make_unique<SigmoidForward>("reals", within(20, count, random)));
  result.trials.push_back(std::make_unique<SigmoidForward>("any bits", any_bits(count, random)));
  if (count >= static_cast<std::int64_t>(special_points.size())) {
    GuardedArray<float> input = within(100, count, random);
    std::copy(special_points.begin(), special_points.end(), input.data());
    result.trials.push_back(std::make_unique<SigmoidForward>("special points", std::move(input)));
  }
  return result;
}

Case sigmoid_backward_case(std::int64_t index, CaseRandom& random) {
  const auto [count, label] = length(index, random);
  Case result{label, {}};
  GuardedArray<float> grad_output = random.reals(count);
  GuardedArray<float> output = sigmoid_values(count, random);
  result.trials.push_back(std::make_unique<SigmoidBackward>("reals", std::move(grad_output), std::move(output)));
  return result;
}

}  // namespace touchstone::check
