// SPDX-License-Identifier: Apache-2.0
#include "touchstone/accuracy.h"

#include <limits>
#include <vector>

#include <gtest/gtest.h>

namespace touchstone {
namespace {

std::int64_t accuracy(const SoftmaxCrossEntropyShape& shape, const std::vector<double>& logits,
                      const std::vector<std::uint8_t>& labels) {
  return reference::accuracy(shape, logits.data(), labels.data());
}

TEST(AccuracyReference, CountsTheRowsWhoseLargestLogitIsTheLabels) {
  // Predictions 2, 0, 1, 2; labels 2, 1, 1, 0: rows 0 and 2 are right.
  EXPECT_EQ(accuracy({.batch = 4, .classes = 3}, {1, 2, 3, 9, 8, 7, -3, -1, -2, 0, 0.5, 1}, {2, 1, 1, 0}), 2);
}

TEST(AccuracyReference, FindsTheLargestAtEveryPlace) {
  for (std::uint8_t place = 0; place < 10; ++place) {
    std::vector<double> logits(10, -5.0);
    logits[place] = -4;
    for (std::uint8_t label = 0; label < 10; ++label) {
      EXPECT_EQ(accuracy({.batch = 1, .classes = 10}, logits, {label}), label == place ? 1 : 0)
          << "largest at " << int{place} << ", label " << int{label};
    }
  }
}

TEST(AccuracyReference, TheFirstOfEqualsIsThePrediction) {
  EXPECT_EQ(accuracy({.batch = 3, .classes = 3}, {1, 4, 4, 1, 4, 4, 0, 0, 0}, {1, 2, 0}), 2);
}

TEST(AccuracyReference, NanWinsWhereItComesFirstAndIsPassedOverElsewhere) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_EQ(accuracy({.batch = 2, .classes = 3}, {nan, 1, 2, 1, nan, 2}, {0, 2}), 2);
}

TEST(AccuracyReference, OneClassIsAlwaysRight) { EXPECT_EQ(accuracy({.batch = 2, .classes = 1}, {7, -7}, {0, 0}), 2); }

TEST(AccuracyReference, AnEmptyBatchHasNoneRight) { EXPECT_EQ(accuracy({.batch = 0, .classes = 3}, {}, {}), 0); }

}  // namespace
}  // namespace touchstone
