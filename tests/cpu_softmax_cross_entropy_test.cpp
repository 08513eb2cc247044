// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "tests/cpu_test_support.h"
#include "touchstone/accuracy.h"
#include "touchstone/softmax_cross_entropy.h"

namespace touchstone {
namespace {

constexpr double u = 0x1p-24;
constexpr double smallest = 0x1p-149;  // of float32: what underflow may cost

struct Rows {
  SoftmaxCrossEntropyShape shape;
  std::vector<float> logits;
  std::vector<std::uint8_t> labels;
};

/// Shapes around the sizes of vectors; logits up to `magnitude`.
std::vector<Rows> all_rows(float magnitude) {
  test::Draws draws(1);
  std::vector<Rows> all;
  for (const std::int64_t classes : {1, 2, 3, 4, 5, 7, 8, 9, 10, 15, 16, 17, 31, 33, 100, 256}) {
    Rows rows{.shape = {.batch = draws.between(0, 9), .classes = classes}, .logits = {}, .labels = {}};
    rows.logits = draws.reals(rows.shape.count());
    for (float& logit : rows.logits) {
      logit *= magnitude;
    }
    for (std::int64_t n = 0; n < rows.shape.batch; ++n) {
      rows.labels.push_back(static_cast<std::uint8_t>(draws.between(0, classes - 1)));
    }
    all.push_back(rows);
  }
  return all;
}

struct Results {
  std::vector<double> losses;
  std::vector<double> gradients;
};

Results run_reference(const Rows& rows, double scale) {
  Results results{.losses = std::vector<double>(static_cast<std::size_t>(rows.shape.batch)),
                  .gradients = std::vector<double>(rows.logits.size())};
  reference::softmax_cross_entropy(rows.shape, test::widened(rows.logits).data(), rows.labels.data(), scale,
                                   results.losses.data(), results.gradients.data());
  return results;
}

Results run_cpu(const Rows& rows, float scale) {
  test::PoisonedOutput<float> losses(rows.shape.batch);
  test::PoisonedOutput<float> gradients(rows.shape.count());
  cpu::softmax_cross_entropy(rows.shape, rows.logits.data(), rows.labels.data(), scale, losses.data(),
                             gradients.data());
  return {.losses = test::widened(losses.values()), .gradients = test::widened(gradients.values())};
}

/// The rounding of z - m is an absolute error of the exponent of up to 2 magnitude u; the exponential, the sum of the
/// row (counted as one rounding per class), the division, the difference and the scale round relatively.
void expect_close(const Rows& rows, float magnitude) {
  constexpr double scale = 0.125;
  const Results expected = run_reference(rows, scale);
  const double relative = (4.0 * magnitude + static_cast<double>(rows.shape.classes) + 8) * u;
  test::for_each_instruction_set([&] {
    const Results got = run_cpu(rows, static_cast<float>(scale));
    for (std::size_t n = 0; n < expected.losses.size(); ++n) {
      ASSERT_LE(std::abs(got.losses[n] - expected.losses[n]), relative + 2 * u * expected.losses[n]) << n;
    }
    for (std::size_t i = 0; i < expected.gradients.size(); ++i) {
      const auto label = rows.labels[i / static_cast<std::size_t>(rows.shape.classes)];
      const bool is_label = i % static_cast<std::size_t>(rows.shape.classes) == label;
      // At the label p - 1 cancels: the error is relative to p + 1.
      const double size = is_label ? 2 * scale : expected.gradients[i];
      ASSERT_LE(std::abs(got.gradients[i] - expected.gradients[i]), relative * size + smallest) << i;
    }
  });
}

TEST(CpuSoftmaxCrossEntropy, StaysCloseToTheReference) {
  for (const float magnitude : {0.01F, 1.0F, 10.0F, 60.0F}) {
    for (const Rows& rows : all_rows(magnitude)) {
      expect_close(rows, magnitude);
    }
  }
}

TEST(CpuSoftmaxCrossEntropy, IsFiniteForAnyFiniteLogits) {
  const Rows rows{
      .shape = {.batch = 2, .classes = 3}, .logits = {-3e38F, 3e38F, 0, 1e4F, -1e4F, 1e4F}, .labels = {1, 1}};
  test::for_each_instruction_set([&] {
    const Results got = run_cpu(rows, 1);
    EXPECT_EQ(got.losses[0], 0);
    EXPECT_FLOAT_EQ(static_cast<float>(got.losses[1]), 2e4F + std::log(2.0F));
    EXPECT_EQ(got.gradients, (std::vector<double>{0, 0, 0, 0.5, -1, 0.5}));
  });
}

TEST(CpuSoftmaxCrossEntropy, SpreadsNaNAndInfinityOverTheRow) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    for (std::size_t place = 0; place < 4; ++place) {
      Rows rows{.shape = {.batch = 1, .classes = 4}, .logits = {1, 2, 3, 4}, .labels = {2}};
      rows.logits[place] = bad;
      test::for_each_instruction_set([&] {
        const Results got = run_cpu(rows, 1);
        EXPECT_TRUE(std::isnan(got.losses[0]));
        EXPECT_TRUE(std::all_of(got.gradients.begin(), got.gradients.end(), [](double g) { return std::isnan(g); }));
      });
    }
  }
}

TEST(CpuAccuracy, CountsAsTheReferenceDoes) {
  test::Draws draws(2);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const std::int64_t classes : {1, 2, 3, 10, 17}) {
    const SoftmaxCrossEntropyShape shape{.batch = 200, .classes = classes};
    std::vector<float> logits = draws.integers(shape.count(), 2);  // many ties
    std::replace(logits.begin(), logits.end(), -2.0F, nan);
    std::vector<std::uint8_t> labels;
    for (std::int64_t n = 0; n < shape.batch; ++n) {
      labels.push_back(static_cast<std::uint8_t>(draws.between(0, classes - 1)));
    }
    const std::int64_t expected = reference::accuracy(shape, test::widened(logits).data(), labels.data());
    EXPECT_GT(expected, 0);
    EXPECT_EQ(cpu::accuracy(shape, logits.data(), labels.data()), expected);
  }
}

}  // namespace
}  // namespace touchstone
