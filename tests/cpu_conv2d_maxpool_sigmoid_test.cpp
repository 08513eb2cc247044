// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <ostream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "host/check/rounded_tensor.h"
#include "host/check/winograd_sums.h"
#include "host/cpu/winograd.h"
#include "host/cpu/workspace.h"
#include "tests/cpu_test_support.h"
#include "touchstone/conv2d_maxpool_sigmoid.h"

namespace touchstone {
namespace {

using Shape = Conv2dMaxpoolSigmoidShape;

std::string describe(const Shape& shape) {
  const Conv2dShape& s = shape.conv2d;
  return fmt::format("N{} C{} {}x{} K{} {}x{} pool {}", s.batch, s.channels, s.height, s.width, s.filters, s.kernel_h,
                     s.kernel_w, shape.pool);
}

Shape shape_of(std::int64_t batch, std::int64_t channels, std::int64_t height, std::int64_t width, std::int64_t filters,
               std::int64_t kernel_h, std::int64_t kernel_w, std::int64_t pool) {
  return {.conv2d = {.batch = batch,
                     .channels = channels,
                     .height = height,
                     .width = width,
                     .filters = filters,
                     .kernel_h = kernel_h,
                     .kernel_w = kernel_w},
          .pool = pool};
}

/// {N, C, H, W, K, kernel, pool}: edges of what the code distinguishes, then seeded.
std::vector<Shape> all_shapes() {
  std::vector<Shape> shapes{
      shape_of(1, 1, 2, 2, 1, 1, 1, 2),      // one of everything
      shape_of(2, 1, 28, 28, 8, 5, 5, 2),    // the first block of the default network
      shape_of(2, 8, 12, 12, 16, 5, 5, 2),   // its second
      shape_of(1, 19, 12, 12, 13, 5, 5, 2),  // rows of taps of several vectors
      shape_of(2, 3, 11, 14, 5, 3, 3, 3),    // windows of 3x3; rows and columns that no window holds
      shape_of(1, 2, 15, 13, 3, 7, 7, 2),    // more rows than a tile has
      shape_of(1, 2, 16, 15, 4, 7, 7, 3),    // the same with 3x3
      shape_of(3, 1, 9, 40, 2, 3, 3, 2),     // more than a vector of windows
      shape_of(1, 1, 5, 36, 6, 2, 3, 2),     // 17 in a row
      shape_of(2, 8, 6, 7, 5, 1, 1, 2),      // one tap of 8 channels: columns taken apart
      shape_of(2, 9, 6, 7, 5, 1, 1, 3),      // of 9: not
      shape_of(2, 2, 8, 11, 7, 1, 4, 2),     // kernels that are not square
      shape_of(2, 2, 13, 8, 7, 4, 1, 3),     //
      shape_of(1, 3, 12, 5, 4, 11, 2, 2),    // of many rows
      shape_of(0, 2, 8, 7, 3, 3, 3, 2),      // an empty batch
      shape_of(2, 32, 12, 12, 64, 5, 5, 2),  // Winograd's method for 5 rows, all vectors whole
      shape_of(2, 5, 15, 11, 19, 5, 3, 2),   // an odd row of windows, an odd number of them, filters in part
      shape_of(1, 4, 4, 30, 9, 3, 5, 2),     // for 3 rows; a single row of windows
      shape_of(1, 7, 9, 18, 33, 3, 7, 2),    // taps one by one
      shape_of(1, 16, 9, 8, 17, 3, 3, 2),    // channels in whole lines
      shape_of(2, 24, 8, 9, 20, 3, 3, 2),    // in lines and a half
      shape_of(1, 1, 11, 13, 16, 5, 5, 2),   // one channel, filters in whole lines
      shape_of(2, 1, 12, 13, 32, 3, 3, 3),   //
      shape_of(2, 1, 14, 14, 8, 3, 3, 3),    //
      shape_of(1, 1, 17, 14, 16, 5, 5, 3),   //
  };
  test::Draws draws(1);
  while (shapes.size() < 60) {
    const std::int64_t kernel = 2 * draws.between(0, 3) + 1;
    const std::int64_t pool = draws.between(2, 3);
    const std::int64_t smallest = kernel + pool - 1;
    shapes.push_back(shape_of(draws.between(1, 3), draws.between(1, 10), draws.between(smallest, 20),
                              draws.between(smallest, 24), draws.between(1, 9), kernel, kernel, pool));
  }
  return shapes;
}

std::vector<std::uint8_t> random_positions(const Shape& shape, test::Draws& draws) {
  std::vector<std::uint8_t> positions(static_cast<std::size_t>(shape.output_count()));
  std::generate(positions.begin(), positions.end(),
                [&] { return static_cast<std::uint8_t>(draws.between(0, shape.pool * shape.pool - 1)); });
  return positions;
}

/// What the forward pass reads.
struct Inputs {
  std::vector<float> input;
  std::vector<float> filters;
  std::vector<float> bias;
};

struct Pooled {
  std::vector<float> output;
  std::vector<std::uint8_t> argmax;
};

Pooled run_forward(const Shape& shape, const Inputs& in) {
  cpu::Workspace workspace;
  test::PoisonedOutput<float> output(shape.output_count());
  test::PoisonedOutput<std::uint8_t> argmax(shape.output_count());
  const float* bias = in.bias.empty() ? nullptr : in.bias.data();
  cpu::conv2d_maxpool_sigmoid_forward(shape, in.input.data(), in.filters.data(), bias, output.data(), argmax.data(),
                                      workspace);
  return {output.values(), argmax.values()};
}

/// Integers of which many sums are equal: the reference's pre-activations are exact, and so are the device's.
void expect_selection_of_reference(const Shape& shape, const Inputs& in) {
  const auto outputs = static_cast<std::size_t>(shape.output_count());
  std::vector<double> expected(outputs);
  std::vector<std::uint8_t> expected_argmax(outputs);
  const std::vector<double> bias = test::widened(in.bias);
  reference::conv2d_maxpool_sigmoid_forward(shape, test::widened(in.input).data(), test::widened(in.filters).data(),
                                            bias.empty() ? nullptr : bias.data(), expected.data(),
                                            expected_argmax.data());
  test::for_each_instruction_set([&] {
    const Pooled got = run_forward(shape, in);
    EXPECT_EQ(got.argmax, expected_argmax) << describe(shape);
    for (std::size_t i = 0; i < outputs; ++i) {
      ASSERT_LE(test::error_in_ulps(got.output[i], expected[i]), 4) << describe(shape) << ", element " << i;
    }
  });
}

TEST(CpuConv2dMaxpoolSigmoid, SelectsWhatTheReferenceSelectsAmongManyTies) {
  test::Draws draws(2);
  for (const Shape& shape : all_shapes()) {
    if (cpu::uses_winograd(shape)) {
      continue;  // its sums of integers are not exact
    }
    expect_selection_of_reference(shape, {.input = draws.integers(shape.input_count(), 1),
                                          .filters = draws.integers(shape.filters_count(), 1),
                                          .bias = draws.integers(shape.conv2d.filters, 2)});
  }
}

TEST(CpuConv2dMaxpoolSigmoid, DoesWithoutABias) {
  test::Draws draws(3);
  const Shape shape = shape_of(2, 2, 9, 11, 5, 3, 3, 2);
  expect_selection_of_reference(shape, {.input = draws.integers(shape.input_count(), 2),
                                        .filters = draws.integers(shape.filters_count(), 1),
                                        .bias = {}});
}

/// The reference's pre-activations, and how far a float32 evaluation may be from them.
check::RoundedTensor preactivations(const Shape& shape, const Inputs& in) {
  const auto input = check::RoundedTensor::exact(test::widened(in.input));
  const auto filters = check::RoundedTensor::exact(test::widened(in.filters));
  const auto bias = check::RoundedTensor::exact(test::widened(in.bias));
  if (cpu::uses_winograd(shape)) {
    return check::winograd_sums(shape, input, filters, bias);
  }
  return check::sum_of_products(shape.conv2d.output_count(), shape.conv2d.channels * shape.conv2d.taps() + 1, input,
                                filters, bias, [&shape](const double* x, const double* w, const double* b, double* y) {
                                  reference::conv2d_forward(shape.conv2d, x, w, b, y);
                                });
}

/// The index among the pre-activations of position `position` of a window.
std::size_t preactivation_index(const Shape& shape, std::int64_t window, std::int64_t position) {
  const std::int64_t plane = window / shape.windows() * shape.conv2d.out_positions();
  const std::int64_t i = window % shape.windows() / shape.out_w();
  const std::int64_t j = window % shape.out_w();
  return static_cast<std::size_t>(plane + (i * shape.pool + position / shape.pool) * shape.conv2d.out_w() +
                                  j * shape.pool + position % shape.pool);
}

TEST(CpuConv2dMaxpoolSigmoid, StaysWithinItsBoundOnReals) {
  test::Draws draws(4);
  for (const Shape& shape : all_shapes()) {
    const Inputs in{.input = draws.reals(shape.input_count()),
                    .filters = draws.reals(shape.filters_count()),
                    .bias = draws.reals(shape.conv2d.filters)};
    const check::RoundedTensor expected = preactivations(shape, in);
    test::for_each_instruction_set([&] {
      const Pooled got = run_forward(shape, in);
      for (std::int64_t window = 0; window < shape.output_count(); ++window) {
        const auto w = static_cast<std::size_t>(window);
        ASSERT_LT(got.argmax[w], shape.pool * shape.pool) << describe(shape);
        const std::size_t chosen = preactivation_index(shape, window, got.argmax[w]);
        for (std::int64_t position = 0; position < shape.pool * shape.pool; ++position) {
          const std::size_t other = preactivation_index(shape, window, position);
          ASSERT_GE(expected.values[chosen] + expected.errors[chosen], expected.values[other] - expected.errors[other])
              << describe(shape) << ", window " << window << ", position " << position;
        }
        const double activation = 1 / (1 + std::exp(-expected.values[chosen]));
        // The sigmoid's slope is at most 1/4; 3 units in the last place are its own.
        ASSERT_LE(std::abs(double{got.output[w]} - activation), expected.errors[chosen] / 4 + 3 * 0x1p-24)
            << describe(shape) << ", window " << window;
      }
    });
  }
}

TEST(CpuConv2dMaxpoolSigmoid, KeepsANaNWhereItComesFirst) {
  const Shape shape = shape_of(1, 1, 2, 4, 1, 1, 1, 2);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const Inputs in{.input = {nan, 3, 1, nan, 4, 5, 2, 0}, .filters = {1}, .bias = {0}};
  test::for_each_instruction_set([&] {
    const Pooled got = run_forward(shape, in);
    EXPECT_EQ(got.argmax, (std::vector<std::uint8_t>{0, 2}));
    EXPECT_TRUE(std::isnan(got.output[0]));
    EXPECT_FLOAT_EQ(got.output[1], 1 / (1 + std::exp(-2.0F)));
  });
}

/// What a gradient is computed from; `other` is what delta is multiplied by.
struct Gradients {
  std::vector<float> grad_output;
  std::vector<float> output;
  std::vector<std::uint8_t> argmax;
  std::vector<float> other;
};

/// One of the three gradients.
struct Operation {
  std::string name;
  std::function<std::int64_t(const Shape&)> other;  // elements
  std::function<std::int64_t(const Shape&)> result;
  std::function<std::int64_t(const Shape&)> terms;  // the most that an element of the result sums
  std::function<void(const Shape&, const Gradients&, float*)> device;
  std::function<void(const Shape&, const std::vector<double>&, const Gradients&, const std::vector<double>&, double*)>
      reference;  // with the doubles grad_output and other in the place of the floats
};

Operation backward_data() {
  return {.name = "data",
          .other = &Shape::filters_count,
          .result = &Shape::input_count,
          .terms = [](const Shape& shape) { return shape.conv2d.filters * shape.conv2d.taps(); },
          .device =
              [](const Shape& shape, const Gradients& in, float* result) {
                cpu::Workspace workspace;
                cpu::conv2d_maxpool_sigmoid_backward_data(shape, in.grad_output.data(), in.output.data(),
                                                          in.argmax.data(), in.other.data(), result, workspace);
              },
          .reference =
              [](const Shape& shape, const std::vector<double>& grad_output, const Gradients& in,
                 const std::vector<double>& other, double* result) {
                reference::conv2d_maxpool_sigmoid_backward_data(
                    shape, grad_output.data(), test::widened(in.output).data(), in.argmax.data(), other.data(), result);
              }};
}

Operation backward_filters() {
  return {.name = "filters",
          .other = &Shape::input_count,
          .result = &Shape::filters_count,
          .terms = [](const Shape& shape) { return shape.conv2d.batch * shape.windows(); },
          .device =
              [](const Shape& shape, const Gradients& in, float* result) {
                cpu::Workspace workspace;
                cpu::conv2d_maxpool_sigmoid_backward_filters(shape, in.grad_output.data(), in.output.data(),
                                                             in.argmax.data(), in.other.data(), result, workspace);
              },
          .reference =
              [](const Shape& shape, const std::vector<double>& grad_output, const Gradients& in,
                 const std::vector<double>& other, double* result) {
                reference::conv2d_maxpool_sigmoid_backward_filters(
                    shape, grad_output.data(), test::widened(in.output).data(), in.argmax.data(), other.data(), result);
              }};
}

Operation backward_bias() {
  return {.name = "bias",
          .other = [](const Shape&) { return std::int64_t{0}; },
          .result = [](const Shape& shape) { return shape.conv2d.filters; },
          .terms = [](const Shape& shape) { return shape.conv2d.batch * shape.windows(); },
          .device =
              [](const Shape& shape, const Gradients& in, float* result) {
                cpu::Workspace workspace;
                cpu::conv2d_maxpool_sigmoid_backward_bias(shape, in.grad_output.data(), in.output.data(), result,
                                                          workspace);
              },
          .reference =
              [](const Shape& shape, const std::vector<double>& grad_output, const Gradients& in,
                 const std::vector<double>& /*other*/, double* result) {
                reference::conv2d_maxpool_sigmoid_backward_bias(shape, grad_output.data(),
                                                                test::widened(in.output).data(), result);
              }};
}

/// Compares with the reference; each error may be at most `share` of the sum of its terms' magnitudes.
void expect_near_reference(const Operation& operation, const Shape& shape, const Gradients& in, double share) {
  const auto count = static_cast<std::size_t>(operation.result(shape));
  std::vector<double> expected(count);
  std::vector<double> magnitudes(count);
  operation.reference(shape, test::widened(in.grad_output), in, test::widened(in.other), expected.data());
  operation.reference(shape, test::magnitudes(in.grad_output), in, test::magnitudes(in.other), magnitudes.data());
  test::for_each_instruction_set([&] {
    test::PoisonedOutput<float> result(operation.result(shape));
    operation.device(shape, in, result.data());
    const std::vector<float> got = result.values();
    for (std::size_t i = 0; i < count; ++i) {
      // Written so that a NaN fails.
      ASSERT_TRUE(std::abs(double{got[i]} - expected[i]) <= share * magnitudes[i])
          << operation.name << " " << describe(shape) << ", element " << i << ": got " << got[i] << ", expected "
          << expected[i];
    }
  });
}

/// How GoogleTest prints an operation: not by its bytes.
void PrintTo(const Operation& operation, std::ostream* stream) { *stream << operation.name; }

class CpuConv2dMaxpoolSigmoidBackward : public testing::TestWithParam<Operation> {};

TEST_P(CpuConv2dMaxpoolSigmoidBackward, IsExactOnSmallIntegers) {
  test::Draws draws(5);
  for (const Shape& shape : all_shapes()) {
    Gradients in{.grad_output = draws.integers(shape.output_count(), 3),
                 .output = draws.integers(shape.output_count(), 1),
                 .argmax = random_positions(shape, draws),
                 .other = draws.integers(GetParam().other(shape), 4)};
    // 16 s (1 - s) is 3 or 4: deltas are integers.
    std::transform(in.grad_output.begin(), in.grad_output.end(), in.grad_output.begin(),
                   [](float g) { return 16 * g; });
    std::transform(in.output.begin(), in.output.end(), in.output.begin(), [](float s) { return 0.5F + 0.25F * s; });
    expect_near_reference(GetParam(), shape, in, 0);
    if (HasFatalFailure()) {
      return;
    }
  }
}

TEST_P(CpuConv2dMaxpoolSigmoidBackward, StaysWithinItsBoundOnReals) {
  test::Draws draws(6);
  for (const Shape& shape : all_shapes()) {
    Gradients in{.grad_output = draws.reals(shape.output_count()),
                 .output = draws.reals(shape.output_count()),
                 .argmax = random_positions(shape, draws),
                 .other = draws.reals(GetParam().other(shape))};
    std::transform(in.output.begin(), in.output.end(), in.output.begin(), [](float s) { return std::abs(s); });
    // Delta is rounded three times, 1 - s included, before the terms are added.
    const double nu = static_cast<double>(GetParam().terms(shape) + 3) * 0x1p-24;
    expect_near_reference(GetParam(), shape, in, nu / (1 - nu));
    if (HasFatalFailure()) {
      return;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Operations, CpuConv2dMaxpoolSigmoidBackward,
                         testing::Values(backward_data(), backward_filters(), backward_bias()),
                         [](const testing::TestParamInfo<Operation>& parameter) { return parameter.param.name; });

}  // namespace
}  // namespace touchstone
