// SPDX-License-Identifier: Apache-2.0
#include "touchstone/softmax_cross_entropy.h"

#include <cmath>
#include <limits>
#include <numeric>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/central_differences.h"
#include "tests/reference_values.h"
#include "touchstone/error.h"

namespace touchstone {
namespace {

using testing::central_differences;
using ::testing::DoubleEq;
using ::testing::ElementsAre;
using testing::expect_gradient;
using testing::inner_product;
using testing::poison;
using testing::random_integers;
using testing::random_reals;
using Labels = std::vector<std::uint8_t>;

constexpr double infinity = std::numeric_limits<double>::infinity();

struct Fused {
  std::vector<double> losses;
  std::vector<double> grad_logits;
};

Fused fused(const SoftmaxCrossEntropyShape& shape, const std::vector<double>& logits, const Labels& labels,
            double scale = 1) {
  Fused result{poison(shape.batch), poison(shape.count())};
  reference::softmax_cross_entropy(shape, logits.data(), labels.data(), scale, result.losses.data(),
                                   result.grad_logits.data());
  return result;
}

std::vector<double> softmax(const SoftmaxCrossEntropyShape& shape, const std::vector<double>& logits) {
  std::vector<double> probabilities = poison(shape.count());
  reference::softmax_forward(shape, logits.data(), probabilities.data());
  return probabilities;
}

std::vector<double> losses_of(const SoftmaxCrossEntropyShape& shape, const std::vector<double>& logits,
                              const Labels& labels) {
  std::vector<double> losses = poison(shape.batch);
  reference::cross_entropy_forward(shape, logits.data(), labels.data(), losses.data());
  return losses;
}

std::vector<double> cross_entropy_backward(const SoftmaxCrossEntropyShape& shape,
                                           const std::vector<double>& probabilities, const Labels& labels) {
  std::vector<double> gradient = poison(shape.count());
  reference::cross_entropy_backward(shape, probabilities.data(), labels.data(), gradient.data());
  return gradient;
}

std::vector<double> softmax_backward(const SoftmaxCrossEntropyShape& shape,
                                     const std::vector<double>& grad_probabilities,
                                     const std::vector<double>& probabilities) {
  std::vector<double> gradient = poison(shape.count());
  reference::softmax_backward(shape, grad_probabilities.data(), probabilities.data(), gradient.data());
  return gradient;
}

double sum(const std::vector<double>& values) { return std::accumulate(values.begin(), values.end(), 0.0); }

/// Five rows of seven classes, labels 0 and 6 among them.
const SoftmaxCrossEntropyShape sample_shape{.batch = 5, .classes = 7};
const Labels sample_labels{0, 6, 3, 3, 1};

TEST(SoftmaxCrossEntropyReference, WorkedByHand) {
  // exp of (ln 1, ln 3, ln 4) is (1, 3, 4), whose sum is 8: p = (1/8, 3/8, 1/2). With label 1 the loss is -ln 3/8 and
  // dL/dz = (1/8, 3/8 - 1, 1/2).
  const SoftmaxCrossEntropyShape shape{.batch = 1, .classes = 3};
  const std::vector<double> logits{std::log(1), std::log(3), std::log(4)};
  EXPECT_THAT(softmax(shape, logits), ElementsAre(DoubleEq(0.125), DoubleEq(0.375), DoubleEq(0.5)));
  EXPECT_THAT(losses_of(shape, logits, {1}), ElementsAre(DoubleEq(std::log(8.0 / 3.0))));
  const Fused result = fused(shape, logits, {1});
  EXPECT_THAT(result.losses, ElementsAre(DoubleEq(std::log(8.0 / 3.0))));
  EXPECT_THAT(result.grad_logits, ElementsAre(DoubleEq(0.125), DoubleEq(-0.625), DoubleEq(0.5)));
}

TEST(SoftmaxCrossEntropyReference, SeparateGradientsWorkedByHand) {
  // p = (1/8, 3/8, 1/2), label 1: dL/dp = (0, -8/3, 0); <dL/dp, p> = -1;
  // dL/dz = (1/8 (0 + 1), 3/8 (-8/3 + 1), 1/2 (0 + 1)) = (1/8, -5/8, 1/2) = p - y.
  const SoftmaxCrossEntropyShape shape{.batch = 1, .classes = 3};
  const std::vector<double> p{0.125, 0.375, 0.5};
  const std::vector<double> grad_p = cross_entropy_backward(shape, p, {1});
  EXPECT_THAT(grad_p, ElementsAre(0, DoubleEq(-8.0 / 3.0), 0));
  EXPECT_THAT(softmax_backward(shape, grad_p, p), ElementsAre(DoubleEq(0.125), DoubleEq(-0.625), DoubleEq(0.5)));
}

TEST(SoftmaxCrossEntropyReference, TheSeparateGradientsComposeToTheFusedOne) {
  const std::vector<double> logits = random_integers(sample_shape.count(), 4, 1);
  const std::vector<double> p = softmax(sample_shape, logits);
  const std::vector<double> composed =
      softmax_backward(sample_shape, cross_entropy_backward(sample_shape, p, sample_labels), p);
  const std::vector<double> expected = fused(sample_shape, logits, sample_labels).grad_logits;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(composed[i], expected[i], 4 * std::numeric_limits<double>::epsilon()) << "element " << i;
  }
}

TEST(SoftmaxCrossEntropyReference, GradientAgreesWithCentralDifferences) {
  std::vector<double> logits = random_reals(sample_shape.count(), 2);
  const double scale = 0.25;
  const auto objective = [&] { return scale * sum(losses_of(sample_shape, logits, sample_labels)); };
  expect_gradient(fused(sample_shape, logits, sample_labels, scale).grad_logits,
                  central_differences(logits, objective));
}

TEST(SoftmaxCrossEntropyReference, SoftmaxGradientAgreesWithCentralDifferences) {
  std::vector<double> logits = random_reals(sample_shape.count(), 3);
  const std::vector<double> grad_p = random_reals(sample_shape.count(), 4);
  const auto objective = [&] { return inner_product(softmax(sample_shape, logits), grad_p); };
  expect_gradient(softmax_backward(sample_shape, grad_p, softmax(sample_shape, logits)),
                  central_differences(logits, objective));
}

TEST(SoftmaxCrossEntropyReference, CrossEntropyGradientAgreesWithCentralDifferences) {
  std::vector<double> p = softmax(sample_shape, random_reals(sample_shape.count(), 5));
  const auto objective = [&] {
    double loss = 0;
    for (std::size_t n = 0; n < sample_labels.size(); ++n) {
      loss -= std::log(p[n * static_cast<std::size_t>(sample_shape.classes) + sample_labels[n]]);
    }
    return loss;
  };
  // The differences' error is of the order h^4 / p^5, so that they are good to some 1e-8 for p near 1/7.
  expect_gradient(cross_entropy_backward(sample_shape, p, sample_labels), central_differences(p, objective), 1e-6);
}

TEST(SoftmaxCrossEntropyReference, RowsOfTheGradientSumToZero) {
  const std::vector<double> gradient =
      fused(sample_shape, random_integers(sample_shape.count(), 30, 6), sample_labels).grad_logits;
  for (std::int64_t n = 0; n < sample_shape.batch; ++n) {
    const auto row = gradient.begin() + n * sample_shape.classes;
    EXPECT_NEAR(std::accumulate(row, row + sample_shape.classes, 0.0), 0, 1e-15) << "row " << n;
    EXPECT_LT(row[sample_labels[static_cast<std::size_t>(n)]], 0) << "row " << n;
  }
}

TEST(SoftmaxCrossEntropyReference, AShiftOfIntegerLogitsChangesNoBit) {
  std::vector<double> logits = random_integers(sample_shape.count(), 9, 7);
  const Fused before = fused(sample_shape, logits, sample_labels);
  for (double& logit : logits) {
    logit += 1234567;
  }
  const Fused after = fused(sample_shape, logits, sample_labels);
  EXPECT_EQ(after.losses, before.losses);
  EXPECT_EQ(after.grad_logits, before.grad_logits);
}

TEST(SoftmaxCrossEntropyReference, TheScaleScalesTheGradientAlone) {
  const std::vector<double> logits = random_reals(sample_shape.count(), 8);
  const Fused whole = fused(sample_shape, logits, sample_labels);
  const Fused quarter = fused(sample_shape, logits, sample_labels, 0.25);
  EXPECT_EQ(quarter.losses, whole.losses);
  for (std::size_t i = 0; i < whole.grad_logits.size(); ++i) {
    EXPECT_EQ(quarter.grad_logits[i], 0.25 * whole.grad_logits[i]) << "element " << i;
  }
}

TEST(SoftmaxCrossEntropyReference, StableForLargeLogits) {
  // A right answer has loss 0; a wrong one's loss is the distance of the logits, where its probability is long 0.
  const SoftmaxCrossEntropyShape shape{.batch = 2, .classes = 2};
  for (const double size : {1000.0, 1e30}) {
    SCOPED_TRACE(size);
    const Fused result = fused(shape, {size, -size, size, -size}, {0, 1});
    EXPECT_THAT(result.losses, ElementsAre(0, 2 * size));
    EXPECT_THAT(result.grad_logits, ElementsAre(0, 0, 1, -1));
    EXPECT_THAT(softmax(shape, {size, -size, -size, size}), ElementsAre(1, 0, 0, 1));
  }
  // All logits equal: p = 1/2 each, however large they are.
  EXPECT_THAT(fused(shape, {1e30, 1e30, -1e30, -1e30}, {0, 1}).losses,
              ElementsAre(DoubleEq(std::log(2)), DoubleEq(std::log(2))));
}

TEST(SoftmaxCrossEntropyReference, OnlyTheFusedGradientSurvivesAProbabilityOfZero) {
  const SoftmaxCrossEntropyShape shape{.batch = 1, .classes = 2};
  const std::vector<double> p = softmax(shape, {1000, -1000});
  const std::vector<double> grad_p = cross_entropy_backward(shape, p, {1});
  EXPECT_EQ(grad_p.at(1), -infinity);
  EXPECT_TRUE(std::isnan(softmax_backward(shape, grad_p, p).at(1)));
  EXPECT_THAT(fused(shape, {1000, -1000}, {1}).grad_logits, ElementsAre(1, -1));
}

TEST(SoftmaxCrossEntropyReference, NonFiniteLogitsShowInTheirOwnRowOnly) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const SoftmaxCrossEntropyShape shape{.batch = 4, .classes = 2};
  const Fused result = fused(shape, {nan, 0, 0, nan, 0, infinity, 0, 0}, {0, 0, 0, 0});
  for (std::size_t n = 0; n < 3; ++n) {
    EXPECT_TRUE(std::isnan(result.losses[n])) << "row " << n;
    EXPECT_TRUE(std::isnan(result.grad_logits[2 * n])) << "row " << n;
  }
  EXPECT_THAT(result.losses.at(3), DoubleEq(std::log(2)));
}

TEST(SoftmaxCrossEntropyReference, MinusInfinityIsAProbabilityOfZero) {
  const SoftmaxCrossEntropyShape shape{.batch = 2, .classes = 2};
  const Fused result = fused(shape, {3, -infinity, 3, -infinity}, {0, 1});
  EXPECT_THAT(result.losses, ElementsAre(0, infinity));
  EXPECT_THAT(result.grad_logits, ElementsAre(0, 0, 1, -1));
}

TEST(SoftmaxCrossEntropyReference, OneClassLeavesNothingToLearn) {
  const Fused result = fused({.batch = 2, .classes = 1}, {5, -7}, {0, 0});
  EXPECT_THAT(result.losses, ElementsAre(0, 0));
  EXPECT_THAT(result.grad_logits, ElementsAre(0, 0));
}

TEST(SoftmaxCrossEntropyReference, AnEmptyBatchWritesNothing) {
  double untouched = 42;
  const SoftmaxCrossEntropyShape shape{.batch = 0, .classes = 3};
  reference::softmax_cross_entropy(shape, nullptr, nullptr, 1, &untouched, &untouched);
  EXPECT_EQ(untouched, 42);
}

std::string message(const SoftmaxCrossEntropyShape& shape) {
  try {
    shape.validate();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(SoftmaxCrossEntropyShape, ValidateNamesWhatIsWrong) {
  EXPECT_EQ(message({.batch = 0}), "");
  EXPECT_EQ(message({.batch = -1}), "softmax_cross_entropy: batch is -1; it must be at least 0");
  EXPECT_EQ(message({.classes = 0}), "softmax_cross_entropy: classes is 0; it must be at least 1");
}

}  // namespace
}  // namespace touchstone
