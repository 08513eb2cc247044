// SPDX-License-Identifier: Apache-2.0
//
// Sums of products in single precision by tensor cores, where the device has those for TF32.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/device.h"
#include "kernels_support.h"
#include "kernels_tensor_product.h"
#include "reference_values.h"
#include "touchstone/random.h"

namespace touchstone::test {
namespace {

using backend::product_columns;
using backend::product_rows;
using testing::random_integers;

constexpr double unit = 0x1p-24;  // half a unit in the last place of float32 at 1

class TensorCoreTest : public KernelTest {
 protected:
  void SetUp() override {
    KernelTest::SetUp();
    if (IsSkipped()) return;
    backend::use_device(backend::emulated_build ? 1 : 0);
    const int capability = backend::product_capability();
    if (capability < 80) {
      ASSERT_FALSE(backend::emulated_build) << capability;
      GTEST_SKIP() << "no tensor cores for TF32, as of compute capability 8.0, but of " << capability;
    }
  }
  void TearDown() override {
    if (backend::emulated_build) backend::use_device(0);
  }
};

/// Floats with all of their 24 bits, of either sign, in (2^-8, 2); each stream has other ones.
std::vector<float> random_floats(std::int64_t count, std::uint32_t stream) {
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint32_t word = random_word(1, RandomPurpose::check, stream, i);
    const float significand = 1.0F + static_cast<float>(word >> 9U) * 0x1p-23F;
    values[i] = std::ldexp((word & 1U) == 0 ? significand : -significand, -static_cast<int>(word >> 1U & 7U));
  }
  return values;
}

/// A sum of products in double precision, and that of the products' magnitudes.
struct Sum {
  double value = 0;
  double magnitude = 0;
};

/// [16, 8] sums of `left` [16, terms] times `right` [8, terms] transposed.
std::vector<Sum> sums_of(const std::vector<float>& left, const std::vector<float>& right) {
  const std::size_t terms = left.size() / product_rows;
  std::vector<Sum> sums;
  for (std::size_t row = 0; row < product_rows; ++row) {
    for (std::size_t column = 0; column < product_columns; ++column) {
      Sum sum;
      for (std::size_t term = 0; term < terms; ++term) {
        const double product = static_cast<double>(left[row * terms + term]) * right[column * terms + term];
        sum.value += product;
        sum.magnitude += std::abs(product);
      }
      sums.push_back(sum);
    }
  }
  return sums;
}

/// The largest of the errors in units of the sum of magnitudes.
double worst_error(const std::vector<double>& values, const std::vector<Sum>& sums) {
  double worst = 0;
  for (std::size_t i = 0; i < sums.size(); ++i) {
    worst = std::max(worst, std::abs(values.at(i) - sums[i].value) / sums[i].magnitude);
  }
  return worst;
}

bool is_tf32(float value) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof(bits));
  return (bits & 0x1FFFU) == 0;
}

TEST_F(TensorCoreTest, SumsOfSmallIntegersAreExact) {
  // Up to 13 bits, so that low parts take part, of one factor at a time: products of two low parts are left out.
  for (const auto& [left_bound, right_bound] : {std::pair{6000U, 5U}, std::pair{5U, 6000U}}) {
    for (const int terms : {8, 40, 200}) {
      const std::vector<float> left = to_floats(random_integers(product_rows * terms, left_bound, 1));
      const std::vector<float> right = to_floats(random_integers(product_columns * terms, right_bound, 2));
      const std::vector<float> sums = backend::tensor_product(left, right);
      const std::vector<Sum> expected = sums_of(left, right);
      for (std::size_t i = 0; i < expected.size(); ++i) {
        ASSERT_EQ(sums.at(i), expected[i].value)
            << "bounds " << left_bound << ", " << right_bound << ", " << terms << " terms, sum " << i;
      }
    }
  }
}

TEST_F(TensorCoreTest, SumsOfFloatsAreWithinTheBoundOfTwiceTheTermsAnd16) {
  for (const int terms : {8, 40, 200}) {
    const std::vector<float> left = random_floats(product_rows * terms, 3);
    const std::vector<float> right = random_floats(product_columns * terms, 4);
    const std::vector<Sum> expected = sums_of(left, right);
    const double worst = worst_error(to_doubles(backend::tensor_product(left, right)), expected);
    const double roundings = (2 * terms + 16) * unit;
    EXPECT_LE(worst, roundings / (1 - roundings)) << terms << " terms";

    // One TF32 number a factor, with sums in double precision, is the best that tensor cores do by themselves.
    std::vector<double> tf32_alone;
    for (const Sum& sum : sums_of(backend::split_floats(left).high, backend::split_floats(right).high)) {
      tf32_alone.push_back(sum.value);
    }
    EXPECT_LT(16 * worst, worst_error(tf32_alone, expected)) << terms << " terms";
  }
}

TEST_F(TensorCoreTest, TwoPartsHoldAFloatToTwentyTwoBits) {
  std::vector<float> values = random_floats(1000, 5);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::ldexp(values[i], static_cast<int>(i % 200) - 100);
  values.insert(values.end(), {0.0F, 1.0F, 1.0F + 0x1p-11F, -1.0F - 0x1p-11F, 2.0F - 0x1p-23F, 0x1.ffdp127F});
  const backend::FloatParts parts = backend::split_floats(values);
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double value = values[i];
    const float high = parts.high.at(i);
    const float low = parts.low.at(i);
    EXPECT_TRUE(is_tf32(high) && is_tf32(low)) << value << " = " << high << " + " << low;
    EXPECT_LE(std::abs(value - high), 0x1p-11 * std::abs(value)) << value;
    EXPECT_LE(std::abs(value - high - low), 0x1p-22 * std::abs(value)) << value;
  }
}

}  // namespace
}  // namespace touchstone::test
