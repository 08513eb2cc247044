// SPDX-License-Identifier: Apache-2.0
#include "touchstone/sigmoid.h"

#include <cmath>
#include <limits>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/central_differences.h"
#include "tests/reference_values.h"

namespace touchstone {
namespace {

using testing::central_differences;
using ::testing::DoubleEq;
using ::testing::ElementsAre;
using testing::expect_gradient;
using testing::inner_product;
using testing::poison;
using testing::random_reals;

std::vector<double> forward(const std::vector<double>& input) {
  std::vector<double> output = poison(static_cast<std::int64_t>(input.size()));
  reference::sigmoid_forward(static_cast<std::int64_t>(input.size()), input.data(), output.data());
  return output;
}

std::vector<double> backward(const std::vector<double>& grad_output, const std::vector<double>& output) {
  std::vector<double> grad_input = poison(static_cast<std::int64_t>(output.size()));
  reference::sigmoid_backward(static_cast<std::int64_t>(output.size()), grad_output.data(), output.data(),
                              grad_input.data());
  return grad_input;
}

TEST(SigmoidReference, WorkedByHand) {
  // exp(-ln 3) = 1/3, so sigmoid(ln 3) = 1 / (1 + 1/3) = 3/4 and sigmoid(-ln 3) = 1/4; sigmoid(ln 7) = 7/8.
  EXPECT_THAT(forward({0, std::log(3), -std::log(3), std::log(7)}),
              ElementsAre(0.5, DoubleEq(0.75), DoubleEq(0.25), DoubleEq(0.875)));
  // g * s * (1 - s): 4 * 1/2 * 1/2, 2 * 3/4 * 1/4, -8 * 1/4 * 3/4.
  EXPECT_THAT(backward({4, 2, -8}, {0.5, 0.75, 0.25}), ElementsAre(1, 0.375, -1.5));
}

TEST(SigmoidReference, AccurateForAnyInput) {
  const double infinity = std::numeric_limits<double>::infinity();
  EXPECT_THAT(forward({1000, -1000, 1e30, -1e30, infinity, -infinity}), ElementsAre(1, 0, 1, 0, 1, 0));
  // Far out on the left the sigmoid is exp(x) up to a factor of 1 - exp(x); exp(720) overflows, exp(-720) does not.
  EXPECT_THAT(forward({-40, -700, -720, -740}),
              ElementsAre(DoubleEq(std::exp(-40)), DoubleEq(std::exp(-700)), std::exp(-720), std::exp(-740)));
  EXPECT_GT(forward({-740}).front(), 0);
  EXPECT_TRUE(std::isnan(forward({std::numeric_limits<double>::quiet_NaN()}).front()));
}

TEST(SigmoidReference, RisesAndIsSymmetric) {
  double before = 0;
  for (int i = -800; i <= 800; ++i) {
    const double x = i / 16.0;
    const std::vector<double> s = forward({x, -x});
    EXPECT_GE(s[0], before) << "at " << x;
    EXPECT_NEAR(s[0] + s[1], 1, 2 * std::numeric_limits<double>::epsilon()) << "at " << x;
    before = s[0];
  }
}

TEST(SigmoidReference, GradientAgreesWithCentralDifferences) {
  std::vector<double> input = random_reals(31, 1);
  for (double& x : input) {
    x *= 6;
  }
  const std::vector<double> grad_output = random_reals(31, 2);
  const auto objective = [&] { return inner_product(forward(input), grad_output); };
  expect_gradient(backward(grad_output, forward(input)), central_differences(input, objective));
}

TEST(SigmoidReference, SaturatedOutputsPassNoGradient) { EXPECT_THAT(backward({3, -7}, {1, 0}), ElementsAre(0, 0)); }

TEST(SigmoidReference, WorksInPlace) {
  std::vector<double> values = random_reals(7, 3);
  const std::vector<double> output = forward(values);
  reference::sigmoid_forward(7, values.data(), values.data());
  EXPECT_EQ(values, output);

  std::vector<double> gradients = random_reals(7, 4);
  const std::vector<double> expected = backward(gradients, output);
  reference::sigmoid_backward(7, gradients.data(), output.data(), gradients.data());
  EXPECT_EQ(gradients, expected);
}

TEST(SigmoidReference, AnEmptyTensorIsLeftAlone) {
  double untouched = 42;
  reference::sigmoid_forward(0, &untouched, &untouched);
  reference::sigmoid_backward(0, &untouched, &untouched, &untouched);
  EXPECT_EQ(untouched, 42);
}

}  // namespace
}  // namespace touchstone
