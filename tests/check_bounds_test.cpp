// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "host/check/case_random.h"
#include "host/check/compare.h"
#include "host/check/guarded_array.h"
#include "host/check/outputs.h"
#include "host/check/rounded.h"
#include "touchstone/error.h"

namespace touchstone::check {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

TEST(ErrorRatio, IsInUnitsOfTheBound) {
  EXPECT_NEAR(error_ratio(1.5, 1, 1), 0.5, 1e-6);
  EXPECT_NEAR(error_ratio(1, 4, 2), 1.5, 1e-6);
  EXPECT_EQ(error_ratio(7, 7, 0), 0);
  EXPECT_EQ(error_ratio(0.0, -0.0, 0), 0);
  EXPECT_EQ(error_ratio(1, 1 + 1e-15, 0), infinity);
}

TEST(ErrorRatio, TakesNaNAndInfinitiesForThemselvesAlone) {
  EXPECT_EQ(error_ratio(nan, nan, 1), 0);
  EXPECT_EQ(error_ratio(nan, 1, 1), infinity);
  EXPECT_EQ(error_ratio(1, nan, 1), infinity);
  EXPECT_EQ(error_ratio(infinity, infinity, 1), 0);
  EXPECT_EQ(error_ratio(infinity, -infinity, 1), infinity);
  EXPECT_EQ(error_ratio(infinity, 1e300, 1), infinity);
  EXPECT_FALSE(error_ratio(1, 2, nan) <= 1);
}

Outputs three_floats(float a, float b, float c) {
  Outputs outputs;
  float* values = outputs.add<float>("output", {1, 3});
  values[0] = a;
  values[1] = b;
  values[2] = c;
  return outputs;
}

TEST(Compare, NamesTheFirstWrongElementAndCountsThem) {
  const Comparison comparison = compare(three_floats(1, 2, 3), {{{1, 2.5, 4}, {0, 0.1, 0.5}}});
  EXPECT_EQ(comparison.elements, 3);
  EXPECT_EQ(comparison.wrong, 2);
  EXPECT_NEAR(comparison.worst_ratio, 5, 1e-6);
  EXPECT_EQ(describe(comparison), "2 of 3 elements are wrong, first output[0,1]: expected 2.5, got 2, bound 0.1");
}

TEST(Compare, FindsWhatWasNotWrittenEvenWhereNaNIsExpected) {
  Outputs outputs;
  outputs.add<float>("output", {2})[0] = std::numeric_limits<float>::quiet_NaN();
  const Comparison comparison = compare(outputs, {{{nan, nan}, {}}});
  EXPECT_EQ(comparison.wrong, 1);
  EXPECT_EQ(describe(comparison),
            "1 of 2 elements are wrong, first output[1]: expected nan, nothing was written, bound 0");
}

TEST(Compare, RefusesAnotherNumberOfElements) { EXPECT_THROW(compare(three_floats(1, 2, 3), {{{1, 2}, {}}}), Error); }

TEST(GuardedArray, ShowsWritesOnEitherSide) {
  GuardedArray<std::uint8_t> array(3);
  std::fill(array.values().begin(), array.values().end(), std::uint8_t{0});
  EXPECT_TRUE(array.guards_intact());
  array.data()[3] = 0;
  EXPECT_FALSE(array.guards_intact());
  array.data()[3] = 0xFF;
  array.data()[-1] = 0;
  EXPECT_FALSE(array.guards_intact());
}

TEST(Outputs, DifferInEveryBit) {
  EXPECT_EQ(first_difference(three_floats(1, 0.0F, 3), three_floats(1, 0.0F, 3)), "");
  EXPECT_EQ(first_difference(three_floats(1, 0.0F, 3), three_floats(1, -0.0F, 3)), "output");
}

TEST(Gamma, GrowsALittleFasterThanTheNumberOfRoundings) {
  EXPECT_EQ(gamma(0), 0);
  EXPECT_DOUBLE_EQ(gamma(1), 0x1p-24 / (1 - 0x1p-24));
  EXPECT_GT(gamma(1000), 1000 * 0x1p-24);
}

/// The errors of a formula in float32 over many inputs: never beyond the bound that Rounded gives, and at times a good
/// part of it, lest the bound be worth nothing.
template <class Formula>
void expect_covered(const Formula& formula, double least_share) {
  CaseRandom random(1, "rounded", 0);
  double worst = 0;
  for (int i = 0; i < 20000; ++i) {
    const float a = 0.1F + random.unit();
    const float b = 4 * random.unit() - 2;
    const Rounded bounded = formula(Rounded::exact(a), Rounded::exact(b));
    const auto rounded = static_cast<double>(formula(a, b));
    ASSERT_LE(std::abs(rounded - bounded.value), bounded.error) << "a = " << a << ", b = " << b;
    worst = std::max(worst, std::abs(rounded - bounded.value) / bounded.error);
  }
  EXPECT_GE(worst, least_share);
}

TEST(Rounded, CoversSumsAndProducts) {
  expect_covered([](const auto& a, const auto& b) { return (a + b) * (a - b) * a; }, 0.3);
}

TEST(Rounded, CoversQuotientsAndRoots) {
  using std::sqrt;
  expect_covered([](const auto& a, const auto& b) { return b / (sqrt(a) + a); }, 0.3);
}

TEST(Rounded, CoversFunctions) {
  using std::exp;
  using std::log;
  expect_covered([](const auto& a, const auto& b) { return log(exp(b) + a * a); }, 0.05);
}

TEST(Rounded, CoversWhatTheOperandsCarry) {
  const Rounded a{2, 0.25};
  const Rounded b{-3, 0.5};
  EXPECT_GE((a + b).error, 0.75);
  EXPECT_GE((a * b).error, 2 * 0.5 + 3 * 0.25 + 0.125);
  EXPECT_GE((a / b).error, std::abs(2.25 / -2.5 - 2.0 / -3));
  EXPECT_GE(sqrt(a).error, std::sqrt(2) - std::sqrt(1.75));
  EXPECT_GE(exp(a).error, std::exp(2.25) - std::exp(2));
  EXPECT_GE(log(a).error, std::log(2) - std::log(1.75));
}

TEST(Rounded, SumsInAnyOrder) {
  const std::vector<Rounded> terms = {{1, 0.5}, {-2, 0.25}, {4, 0}};
  EXPECT_EQ(sum(terms).value, 3);
  EXPECT_DOUBLE_EQ(sum(terms).error, 0.75 + gamma(2) * 7.75);
}

TEST(Rounded, SigmoidCoversItsArgumentsError) {
  for (const double x : {-30.0, -3.0, -0.1, 0.0, 0.7, 8.0, 40.0}) {
    const Rounded s = sigmoid({x, 0.01});
    for (const double moved : {x - 0.01, x + 0.01}) {
      EXPECT_LE(std::abs(1 / (1 + std::exp(-moved)) - s.value), s.error) << x;
    }
    EXPECT_LT(sigmoid(Rounded::exact(x)).error, 8 * unit_roundoff * s.value) << x;
  }
}

}  // namespace
}  // namespace touchstone::check
