// SPDX-License-Identifier: Apache-2.0
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "host/check/operation_checks.h"
#include "host/check/shapes.h"
#include "host/check/sum_of_products.h"
#include "touchstone/maxpool.h"

namespace touchstone::check {
namespace {

Dimensions output_dimensions(const MaxpoolShape& shape) {
  return {shape.batch, shape.channels, shape.out_h(), shape.out_w()};
}

/// Forward only selects: values and positions must be equal.
class MaxpoolForward final : public Trial {
 public:
  MaxpoolForward(std::string name, const MaxpoolShape& shape, GuardedArray<float> input)
      : Trial(std::move(name)), shape_(shape), input_(std::move(input)) {}

  [[nodiscard]] Outputs run(DeviceOperations& device) const override {
    Outputs outputs;
    float* output = outputs.add<float>("output", output_dimensions(shape_));
    auto* argmax = outputs.add<std::int32_t>("argmax", output_dimensions(shape_));
    device.maxpool_forward(shape_, input_.data(), output, argmax);
    return outputs;
  }

  [[nodiscard]] std::vector<Expected> expected(const Outputs& /*outputs*/,
                                               const DeviceOperations& /*device*/) const override {
    const auto count = static_cast<std::size_t>(shape_.output_count());
    std::vector<double> output(count);
    std::vector<std::int32_t> argmax(count);
    reference::maxpool_forward(shape_, to_double(input_).data(), output.data(), argmax.data());
    return {{std::move(output), {}}, {{argmax.begin(), argmax.end()}, {}}};
  }

  /// Needs no reference: argmax points at the output's value.
  [[nodiscard]] std::string violation(const Outputs& outputs) const override {
    const auto& output = std::get<GuardedArray<float>>(outputs[0].elements);
    const auto& argmax = std::get<GuardedArray<std::int32_t>>(outputs[1].elements);
    const std::int64_t plane = shape_.height * shape_.width;
    for (std::int64_t i = 0; i < output.size(); ++i) {
      const std::int64_t position = argmax[i];
      if (position < 0 || position >= plane) return fmt::format("argmax {} is outside a plane of {}", position, plane);
      const float pointed_at = input_[i / shape_.out_positions() * plane + position];
      if (pointed_at < output[i] || pointed_at > output[i]) {
        return fmt::format("argmax points at {:.9g}, the output is {:.9g}", pointed_at, output[i]);
      }
    }
    return {};
  }

 private:
  MaxpoolShape shape_;
  GuardedArray<float> input_;
};

/// Small integers with infinities, both zeros and NaN among them.
GuardedArray<float> with_special_values(std::int64_t count, CaseRandom& random) {
  using Limits = std::numeric_limits<float>;
  GuardedArray<float> values = random.integers(count, 1);
  for (float& value : values.values()) {
    if (random.one_in(3)) {
      value = random.pick({-Limits::infinity(), -Limits::infinity(), Limits::infinity(), 0.0F, -0.0F,
                           Limits::quiet_NaN(), -Limits::max(), Limits::denorm_min()});
    }
  }
  return values;
}

/// The most windows that one element can be in.
std::int64_t most_windows(const MaxpoolShape& shape) {
  return ((shape.kernel_h + shape.stride_h - 1) / shape.stride_h) *
         ((shape.kernel_w + shape.stride_w - 1) / shape.stride_w);
}

/// Backward sums, over windows that overlap: without products, so that windows side by side lose nothing.
SumOfProducts backward_sum(const MaxpoolShape& shape, std::vector<std::int32_t> argmax) {
  return {.result = "grad_input",
          .dimensions = {shape.batch, shape.channels, shape.height, shape.width},
          .left_count = shape.output_count(),
          .terms = most_windows(shape),
          .on_device =
              [shape, positions = GuardedArray<std::int32_t>(argmax)](
                  DeviceOperations& device, const float* grad_output, const float* /*right*/, const float* /*addend*/,
                  float* grad_input) { device.maxpool_backward(shape, grad_output, positions.data(), grad_input); },
          .on_reference =
              [shape, positions = argmax](const double* grad_output, const double* /*right*/, const double* /*addend*/,
                                          double* grad_input) {
                reference::maxpool_backward(shape, grad_output, positions.data(), grad_input);
              }};
}

/// Positions as a forward pass over data with many ties gives them.
std::vector<std::int32_t> draw_argmax(const MaxpoolShape& shape, CaseRandom& random) {
  const std::vector<double> input = to_double(random.integers(shape.input_count(), 4));
  std::vector<double> output(static_cast<std::size_t>(shape.output_count()));
  std::vector<std::int32_t> argmax(output.size());
  reference::maxpool_forward(shape, input.data(), output.data(), argmax.data());
  return argmax;
}

}  // namespace

Case maxpool_forward_case(std::int64_t index, CaseRandom& random) {
  const auto [shape, label] = maxpool_shape(index, random);
  const std::int64_t count = shape.input_count();
  Case result{label, {}};
  result.trials.push_back(std::make_unique<MaxpoolForward>("ties", shape, random.integers(count, 2)));
  result.trials.push_back(std::make_unique<MaxpoolForward>("reals", shape, random.reals(count)));
  result.trials.push_back(
      std::make_unique<MaxpoolForward>("special values", shape, with_special_values(count, random)));
  return result;
}

Case maxpool_backward_case(std::int64_t index, CaseRandom& random) {
  const auto [shape, label] = maxpool_shape(index, random);
  Case result{label, {}};
  add_trials(result.trials, backward_sum(shape, draw_argmax(shape, random)), random);
  return result;
}

}  // namespace touchstone::check
