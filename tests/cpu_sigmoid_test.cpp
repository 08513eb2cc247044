// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "tests/cpu_test_support.h"
#include "touchstone/sigmoid.h"

namespace touchstone {
namespace {

/// A little more than the largest error seen over every eighth float32 input: 2.402, at -4.157, with AVX-512, AVX2,
/// SSE4 and SSSE3 alike.
constexpr double forward_bound_in_ulps = 2.5;

/// Floats whose bit patterns are `step` apart, both signs, infinities included.
std::vector<float> strided_floats(std::uint32_t step) {
  std::vector<float> values{0.0F, -0.0F, std::numeric_limits<float>::infinity(),
                            -std::numeric_limits<float>::infinity()};
  for (std::uint32_t bits = 1; bits < 0x7F800000U; bits += step) {
    values.push_back(std::bit_cast<float>(bits));
    values.push_back(std::bit_cast<float>(bits | 0x80000000U));
  }
  return values;
}

std::vector<float> sigmoids(const std::vector<float>& inputs) {
  test::PoisonedOutput<float> output(static_cast<std::int64_t>(inputs.size()));
  cpu::sigmoid_forward(static_cast<std::int64_t>(inputs.size()), inputs.data(), output.data());
  return output.values();
}

TEST(CpuSigmoid, StaysWithinItsBoundOverAllFloats) {
  const std::vector<float> inputs = strided_floats(10007);
  test::for_each_instruction_set([&] {
    const std::vector<float> got = sigmoids(inputs);
    double worst = 0;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const double x = inputs[i];
      const double expected = x >= 0 ? 1 / (1 + std::exp(-x)) : std::exp(x) / (1 + std::exp(x));
      const double error = test::error_in_ulps(got[i], expected);
      ASSERT_LE(error, forward_bound_in_ulps) << "sigmoid(" << inputs[i] << ") = " << got[i];
      worst = std::max(worst, error);
    }
    EXPECT_GT(worst, 0.4) << "too good to be measured";
  });
}

// Between neighbouring floats the result may fall by a rounding error; over steps of 1/512 it does not.
TEST(CpuSigmoid, DoesNotFallFromStepToStep) {
  std::vector<float> inputs;
  for (int i = -110 * 512; i <= 30 * 512; ++i) {
    inputs.push_back(static_cast<float>(i) / 512);
  }
  test::for_each_instruction_set([&] {
    const std::vector<float> got = sigmoids(inputs);
    EXPECT_TRUE(std::is_sorted(got.begin(), got.end()));
  });
}

TEST(CpuSigmoid, KnowsTheEnds) {
  const float infinity = std::numeric_limits<float>::infinity();
  const float largest = std::numeric_limits<float>::max();
  test::for_each_instruction_set([&] {
    EXPECT_EQ(sigmoids({infinity, largest, 0, -0.0F, -largest, -infinity}),
              (std::vector<float>{1, 1, 0.5F, 0.5F, 0, 0}));
    EXPECT_TRUE(std::isnan(sigmoids({std::numeric_limits<float>::quiet_NaN()})[0]));
  });
}

TEST(CpuSigmoid, WorksForAnyCountAndInPlace) {
  test::Draws draws(1);
  test::for_each_instruction_set([&] {
    for (std::int64_t count = 0; count <= 40; ++count) {
      std::vector<float> values = draws.reals(count);
      const std::vector<float> apart = sigmoids(values);
      cpu::sigmoid_forward(count, values.data(), values.data());
      EXPECT_EQ(values, apart);
    }
  });
}

TEST(CpuSigmoid, BackwardRoundsThreeTimes) {
  test::Draws draws(2);
  const std::int64_t count = 1003;
  const std::vector<float> gradients = draws.reals(count);
  std::vector<float> outputs = draws.reals(count);
  std::transform(outputs.begin(), outputs.end(), outputs.begin(), [](float value) { return std::abs(value); });
  test::for_each_instruction_set([&] {
    test::PoisonedOutput<float> output(count);
    cpu::sigmoid_backward(count, gradients.data(), outputs.data(), output.data());
    const std::vector<float> got = output.values();
    for (std::size_t i = 0; i < got.size(); ++i) {
      const double s = outputs[i];
      const double expected = gradients[i] * s * (1 - s);
      ASSERT_LE(std::abs(got[i] - expected), 3.01 * 0x1p-24 * std::abs(expected) + 0x1p-149) << i;
    }
  });
}

}  // namespace
}  // namespace touchstone
