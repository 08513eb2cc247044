// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "host/check/operation_checks.h"
#include "host/check/rounded.h"
#include "host/check/rounded_tensor.h"
#include "host/check/shapes.h"
#include "host/check/winograd_sums.h"
#include "touchstone/conv2d_maxpool_sigmoid.h"

namespace touchstone::check {
namespace {

using Shape = Conv2dMaxpoolSigmoidShape;

const RoundedTensor nothing;

Dimensions output_dimensions(const Shape& shape) {
  return {shape.conv2d.batch, shape.conv2d.filters, shape.out_h(), shape.out_w()};
}

/// Where the convolution's output holds element `position` of a window, given by its index among all outputs.
std::size_t preactivation(const Shape& shape, std::int64_t window, std::int64_t position) {
  const std::int64_t in_plane = window % shape.windows();
  const std::int64_t y = in_plane / shape.out_w() * shape.pool + position / shape.pool;
  const std::int64_t x = in_plane % shape.out_w() * shape.pool + position % shape.pool;
  return static_cast<std::size_t>(window / shape.windows() * shape.conv2d.out_positions() + y * shape.conv2d.out_w() +
                                  x);
}

/// Exact: small integers, with many ties, whose sums are float32 whatever the order: the choice must be the first of
/// the largest. Bounded: reals, where the order of the roundings may decide between close elements: the reference
/// follows the device's choice where it could be rounding's.
class Forward final : public Trial {
 public:
  static std::unique_ptr<Trial> exact(const Shape& shape, CaseRandom& random) {
    GuardedArray<float> input = random.integers(shape.input_count(), 2);
    GuardedArray<float> filters = random.integers(shape.filters_count(), 1);
    GuardedArray<float> bias = random.integers(shape.conv2d.filters, 2);
    return std::make_unique<Forward>("exact", shape, std::move(input), std::move(filters), std::move(bias));
  }

  static std::unique_ptr<Trial> bounded(const Shape& shape, CaseRandom& random) {
    return real("bounded", shape, random.reals(shape.input_count()), random);
  }

  /// Images that are flat but for their last bits, so that rounding decides.
  static std::unique_ptr<Trial> close(const Shape& shape, CaseRandom& random) {
    GuardedArray<float> input = random.integers(shape.input_count(), 2);
    for (float& value : input.values()) value = 1.25F + value * 0x1p-23F;
    return real("close", shape, std::move(input), random);
  }

  Forward(std::string name, const Shape& shape, GuardedArray<float> input, GuardedArray<float> filters,
          GuardedArray<float> bias)
      : Trial(std::move(name)),
        shape_(shape),
        input_(std::move(input)),
        filters_(std::move(filters)),
        bias_(std::move(bias)) {}

  [[nodiscard]] Outputs run(DeviceOperations& device) const override {
    Outputs outputs;
    float* output = outputs.add<float>("output", output_dimensions(shape_));
    auto* argmax = outputs.add<std::uint8_t>("argmax", output_dimensions(shape_));
    device.conv2d_maxpool_sigmoid_forward(shape_, input_.data(), filters_.data(), bias_.data(), output, argmax);
    return outputs;
  }

  [[nodiscard]] std::vector<Expected> expected(const Outputs& outputs, const DeviceOperations& device) const override {
    const auto& chosen = std::get<GuardedArray<std::uint8_t>>(outputs[1].elements);
    const RoundedTensor sums = preactivations(device.conv2d_maxpool_sigmoid_by_winograd(shape_));
    std::vector<double> values(static_cast<std::size_t>(shape_.output_count()));
    std::vector<std::uint8_t> argmax(values.size());
    reference::conv2d_maxpool_sigmoid_forward(shape_, to_double(input_).data(), to_double(filters_).data(),
                                              to_double(bias_).data(), values.data(), argmax.data());
    Expected output;
    Expected choice;
    for (std::int64_t window = 0; window < shape_.output_count(); ++window) {
      std::uint8_t position = argmax[static_cast<std::size_t>(window)];
      if (may_be_chosen(sums, window, chosen[window], position)) {
        position = chosen[window];
        ++choice.followed;
      }
      const Rounded activation = sigmoid(sums[preactivation(shape_, window, position)]);
      output.values.push_back(activation.value);
      output.bounds.push_back(activation.error);
      choice.values.push_back(position);
    }
    return {std::move(output), std::move(choice)};
  }

 private:
  static std::unique_ptr<Trial> real(const std::string& name, const Shape& shape, GuardedArray<float> input,
                                     CaseRandom& random) {
    GuardedArray<float> filters = random.reals(shape.filters_count());
    GuardedArray<float> bias = random.reals(shape.conv2d.filters);
    // A power of two that keeps the sums where the sigmoid is steep.
    const double terms = static_cast<double>(shape.conv2d.channels * shape.conv2d.taps());
    const auto scale = static_cast<float>(std::exp2(-1 - std::ceil(std::log2(terms) / 2)));
    for (float& value : filters.values()) value *= scale;
    return std::make_unique<Forward>(name, shape, std::move(input), std::move(filters), std::move(bias));
  }

  /// Sums by Winograd's method are exact for no inputs.
  [[nodiscard]] RoundedTensor preactivations(bool by_winograd) const {
    const RoundedTensor input = RoundedTensor::exact(to_double(input_));
    const RoundedTensor filters = RoundedTensor::exact(to_double(filters_));
    const RoundedTensor bias = RoundedTensor::exact(to_double(bias_));
    if (by_winograd) return winograd_sums(shape_, input, filters, bias);
    RoundedTensor sums =
        sum_of_products(shape_.conv2d.output_count(), shape_.conv2d.channels * shape_.conv2d.taps() + 1, input, filters,
                        bias, [this](const double* x, const double* w, const double* b, double* y) {
                          reference::conv2d_forward(shape_.conv2d, x, w, b, y);
                        });
    return name() == "exact" ? RoundedTensor::exact(std::move(sums.values)) : sums;
  }

  /// Whether the device's choice is another than the reference's, and rounding explains it: the two elements differ,
  /// but by less than their bounds.
  [[nodiscard]] bool may_be_chosen(const RoundedTensor& sums, std::int64_t window, std::uint8_t device,
                                   std::uint8_t reference) const {
    if (device == reference || device >= shape_.pool * shape_.pool) return false;
    const Rounded theirs = sums[preactivation(shape_, window, device)];
    const Rounded ours = sums[preactivation(shape_, window, reference)];
    return ours.value - theirs.value < ours.error + theirs.error;
  }

  Shape shape_;
  GuardedArray<float> input_;
  GuardedArray<float> filters_;
  GuardedArray<float> bias_;
};

/// One of the three gradients: a sum over the windows of delta, or of delta times the other operand.
struct Gradient {
  using DeviceCall = std::function<void(DeviceOperations&, const float* grad_output, const float* output,
                                        const std::uint8_t* argmax, const float* operand, float* gradient)>;
  using ReferenceCall = std::function<void(const double* grad_output, const double* output, const std::uint8_t* argmax,
                                           const double* operand, double* gradient)>;

  std::string result;
  Dimensions dimensions;
  std::int64_t operand_count = 0;  ///< 0: there is none
  std::int64_t terms = 0;          ///< in the longest sum
  DeviceCall on_device;
  ReferenceCall on_reference;
  ProductSum convolution;  ///< the same of the gradient by the whole convolution's output
};

/// What the forward pass left behind, and the gradient by its output.
struct BackwardInputs {
  GuardedArray<float> grad_output;
  GuardedArray<float> output;
  GuardedArray<std::uint8_t> argmax;
  GuardedArray<float> operand;
};

/// Exact: delta = g * s * (1 - s) is a whole number, as g is one of four times its size and s is 1/2, or 0 or 1.
/// Bounded: reals.
class Backward final : public Trial {
 public:
  static std::unique_ptr<Trial> exact(const Shape& shape, const Gradient& gradient, CaseRandom& random) {
    BackwardInputs inputs{random.integers(shape.output_count(), 4), GuardedArray<float>(shape.output_count()),
                          random.bytes(shape.output_count(), shape.pool * shape.pool),
                          random.integers(gradient.operand_count, 8)};
    for (float& value : inputs.grad_output.values()) value *= 4;
    for (float& value : inputs.output.values()) {
      value = random.one_in(8) ? static_cast<float>(random.between(0, 1)) : 0.5F;
    }
    return std::make_unique<Backward>("exact", shape, gradient, std::move(inputs));
  }

  static std::unique_ptr<Trial> bounded(const Shape& shape, const Gradient& gradient, CaseRandom& random) {
    BackwardInputs inputs{random.reals(shape.output_count()), GuardedArray<float>(shape.output_count()),
                          random.bytes(shape.output_count(), shape.pool * shape.pool),
                          random.reals(gradient.operand_count)};
    for (float& value : inputs.output.values()) value = random.unit();
    return std::make_unique<Backward>("bounded", shape, gradient, std::move(inputs));
  }

  Backward(const std::string& kind, const Shape& shape, Gradient gradient, BackwardInputs inputs)
      : Trial(gradient.result + ", " + kind),
        is_exact_(kind == "exact"),
        shape_(shape),
        gradient_(std::move(gradient)),
        inputs_(std::move(inputs)) {}

  [[nodiscard]] Outputs run(DeviceOperations& device) const override {
    Outputs outputs;
    float* result = outputs.add<float>(gradient_.result, gradient_.dimensions);
    gradient_.on_device(device, inputs_.grad_output.data(), inputs_.output.data(), inputs_.argmax.data(),
                        inputs_.operand.data(), result);
    return outputs;
  }

  [[nodiscard]] std::vector<Expected> expected(const Outputs& /*outputs*/,
                                               const DeviceOperations& /*device*/) const override {
    const std::int64_t count = element_count(gradient_.dimensions);
    const std::vector<double> operand = to_double(inputs_.operand);
    Expected result{std::vector<double>(static_cast<std::size_t>(count)), {}};
    gradient_.on_reference(to_double(inputs_.grad_output).data(), to_double(inputs_.output).data(),
                           inputs_.argmax.data(), operand.data(), result.values.data());
    if (!is_exact_) {
      result.bounds = sum_of_products(count, gradient_.terms, spread_delta(), RoundedTensor::exact(operand), nothing,
                                      gradient_.convolution)
                          .errors;
    }
    return {std::move(result)};
  }

 private:
  /// The gradient by the convolution's output: delta at each window's argmax, zero elsewhere.
  [[nodiscard]] RoundedTensor spread_delta() const {
    RoundedTensor gradient(static_cast<std::size_t>(shape_.conv2d.output_count()));
    for (std::int64_t window = 0; window < shape_.output_count(); ++window) {
      const Rounded s = Rounded::exact(inputs_.output[window]);
      gradient.set(preactivation(shape_, window, inputs_.argmax[window]),
                   Rounded::exact(inputs_.grad_output[window]) * s * (Rounded::exact(1) - s));
    }
    return gradient;
  }

  bool is_exact_;
  Shape shape_;
  Gradient gradient_;
  BackwardInputs inputs_;
};

Gradient data_gradient(const Shape& shape) {
  const Conv2dShape& conv2d = shape.conv2d;
  return {
      .result = "grad_input",
      .dimensions = {conv2d.batch, conv2d.channels, conv2d.height, conv2d.width},
      .operand_count = shape.filters_count(),
      .terms = conv2d.filters * conv2d.taps(),
      .on_device =
          [shape](DeviceOperations& device, const float* g, const float* s, const std::uint8_t* argmax,
                  const float* filters, float* grad_input) {
            device.conv2d_maxpool_sigmoid_backward_data(shape, g, s, argmax, filters, grad_input);
          },
      .on_reference =
          [shape](const double* g, const double* s, const std::uint8_t* argmax, const double* filters,
                  double* grad_input) {
            reference::conv2d_maxpool_sigmoid_backward_data(shape, g, s, argmax, filters, grad_input);
          },
      .convolution = [conv2d](const double* g, const double* filters, const double* /*addend*/,
                              double* grad_input) { reference::conv2d_backward_data(conv2d, g, filters, grad_input); }};
}

Gradient filters_gradient(const Shape& shape) {
  const Conv2dShape& conv2d = shape.conv2d;
  return {.result = "grad_filters",
          .dimensions = {conv2d.filters, conv2d.channels, conv2d.kernel_h, conv2d.kernel_w},
          .operand_count = shape.input_count(),
          .terms = conv2d.batch * shape.windows(),
          .on_device =
              [shape](DeviceOperations& device, const float* g, const float* s, const std::uint8_t* argmax,
                      const float* input, float* grad_filters) {
                device.conv2d_maxpool_sigmoid_backward_filters(shape, g, s, argmax, input, grad_filters);
              },
          .on_reference =
              [shape](const double* g, const double* s, const std::uint8_t* argmax, const double* input,
                      double* grad_filters) {
                reference::conv2d_maxpool_sigmoid_backward_filters(shape, g, s, argmax, input, grad_filters);
              },
          .convolution =
              [conv2d](const double* g, const double* input, const double* /*addend*/, double* grad_filters) {
                reference::conv2d_backward_filters(conv2d, g, input, grad_filters);
              }};
}

Gradient bias_gradient(const Shape& shape) {
  const Conv2dShape& conv2d = shape.conv2d;
  return {
      .result = "grad_bias",
      .dimensions = {conv2d.filters},
      .terms = conv2d.batch * shape.windows(),
      .on_device = [shape](DeviceOperations& device, const float* g, const float* s, const std::uint8_t* /*argmax*/,
                           const float* /*operand*/,
                           float* grad_bias) { device.conv2d_maxpool_sigmoid_backward_bias(shape, g, s, grad_bias); },
      .on_reference =
          [shape](const double* g, const double* s, const std::uint8_t* /*argmax*/, const double* /*operand*/,
                  double* grad_bias) { reference::conv2d_maxpool_sigmoid_backward_bias(shape, g, s, grad_bias); },
      .convolution = [conv2d](const double* g, const double* /*operand*/, const double* /*addend*/,
                              double* grad_bias) { reference::conv2d_backward_bias(conv2d, g, grad_bias); }};
}

Case backward_case(std::int64_t index, CaseRandom& random, Gradient (*describe)(const Shape&)) {
  const auto [shape, label] = conv2d_maxpool_sigmoid_shape(index, random);
  const Gradient gradient = describe(shape);
  Case result{label, {}};
  result.trials.push_back(Backward::exact(shape, gradient, random));
  result.trials.push_back(Backward::bounded(shape, gradient, random));
  return result;
}

}  // namespace

Case conv2d_maxpool_sigmoid_forward_case(std::int64_t index, CaseRandom& random) {
  const auto [shape, label] = conv2d_maxpool_sigmoid_shape(index, random);
  Case result{label, {}};
  result.trials.push_back(Forward::exact(shape, random));
  result.trials.push_back(Forward::bounded(shape, random));
  result.trials.push_back(Forward::close(shape, random));
  return result;
}

Case conv2d_maxpool_sigmoid_backward_data_case(std::int64_t index, CaseRandom& random) {
  return backward_case(index, random, data_gradient);
}

Case conv2d_maxpool_sigmoid_backward_filters_case(std::int64_t index, CaseRandom& random) {
  return backward_case(index, random, filters_gradient);
}

Case conv2d_maxpool_sigmoid_backward_bias_case(std::int64_t index, CaseRandom& random) {
  return backward_case(index, random, bias_gradient);
}

}  // namespace touchstone::check
