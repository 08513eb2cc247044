// SPDX-License-Identifier: Apache-2.0
//
// Quotients without the special cases of division (kernels/quotient.h).
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "kernels_quotients.h"
#include "kernels_support.h"
#include "touchstone/random.h"

namespace touchstone::test {
namespace {

struct Numbers {
  std::vector<float> numerators;
  std::vector<float> divisors;
};

/// Divisors in [1, 2) and, every eighth, up to 2^24; numerators between 0 and them, some of them tiny.
Numbers random_numbers(std::size_t count) {
  Numbers numbers;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t word = random_word(1, RandomPurpose::check, 1, i);
    const std::uint32_t other = random_word(1, RandomPurpose::check, 2, i);
    const int power = i % 8 == 0 ? static_cast<int>(word % 24) : 0;
    const float divisor = std::ldexp(1.0F + static_cast<float>(word >> 9U) * 0x1p-23F, power);
    const int scale = i % 5 == 0 ? -static_cast<int>(other % 70) : 0;
    numbers.divisors.push_back(divisor);
    numbers.numerators.push_back(std::ldexp(static_cast<float>(other >> 8U) * 0x1p-24F * divisor, scale));
  }
  return numbers;
}

/// The largest error in ulps of the true quotients, none of which is below 2^-100.
double worst_ulps(const Numbers& numbers, const std::vector<float>& quotients) {
  double worst = 0;
  for (std::size_t i = 0; i < quotients.size(); ++i) {
    const double quotient = static_cast<double>(numbers.numerators[i]) / numbers.divisors[i];
    if (quotient == 0) {
      EXPECT_EQ(quotients[i], 0);
      continue;
    }
    worst = std::max(worst, std::abs(quotients[i] - quotient) / std::ldexp(1.0, std::ilogb(quotient) - 23));
  }
  return worst;
}

class QuotientTest : public KernelTest {};

TEST_F(QuotientTest, AreRoundedAsGoodAsRight) {
  const Numbers numbers = random_numbers(20000);
  EXPECT_LE(worst_ulps(numbers, backend::quotients(numbers.numerators, numbers.divisors)), 0.51);
}

// A GPU's estimates are not those of the emulated device, nor of another GPU.
TEST_F(QuotientTest, DoNotDependOnTheEstimate) {
  const Numbers numbers = random_numbers(20000);
  for (const float error : {0x1p-23F, -0x1p-23F, 0x1p-22F, -0x1p-22F}) {
    EXPECT_LE(worst_ulps(numbers, backend::refined_quotients(numbers.numerators, numbers.divisors, error)), 0.51)
        << error;
  }
  // What a step and a correction cannot mend shows.
  EXPECT_GT(worst_ulps(numbers, backend::refined_quotients(numbers.numerators, numbers.divisors, 0.05F)), 0.6);
}

TEST_F(QuotientTest, HoldAtTheEnds) {
  constexpr float smallest = std::numeric_limits<float>::denorm_min();
  const std::vector<float> numerators = {0, 0, 1, 1, 2, smallest, 3 * smallest, std::nanf("")};
  const std::vector<float> divisors = {1, 0x1p100F, 1, 2, 2, 1, 1.5F, 1};
  const std::vector<float> quotients = backend::quotients(numerators, divisors);
  EXPECT_EQ(std::vector<float>(quotients.begin(), quotients.begin() + 6),
            (std::vector<float>{0, 0, 1, 0.5F, 1, smallest}));
  EXPECT_NEAR(quotients[6], 2 * smallest, smallest);
  EXPECT_TRUE(std::isnan(quotients[7]));
}

}  // namespace
}  // namespace touchstone::test
