// SPDX-License-Identifier: Apache-2.0
#include "touchstone/half_squared_error.h"

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
using ::testing::ElementsAre;
using testing::expect_gradient;
using testing::poison;
using testing::random_reals;

struct Result {
  std::vector<double> losses;
  std::vector<double> grad_outputs;
};

Result half_squared_error(const HalfSquaredErrorShape& shape, const std::vector<double>& outputs,
                          const std::vector<double>& targets, double scale = 1) {
  Result result{poison(shape.batch), poison(shape.count())};
  reference::half_squared_error(shape, outputs.data(), targets.data(), scale, result.losses.data(),
                                result.grad_outputs.data());
  return result;
}

TEST(HalfSquaredErrorReference, WorkedByHand) {
  // Differences (1, -2, 3) and (0, 4, -1): (1 + 4 + 9) / 2 = 7 and (0 + 16 + 1) / 2 = 8.5.
  const Result result = half_squared_error({.batch = 2, .elements = 3}, {2, 0, 4, 5, 4, 0}, {1, 2, 1, 5, 0, 1}, 0.5);
  EXPECT_THAT(result.losses, ElementsAre(7, 8.5));
  EXPECT_THAT(result.grad_outputs, ElementsAre(0.5, -1, 1.5, 0, 2, -0.5));
}

TEST(HalfSquaredErrorReference, GradientAgreesWithCentralDifferences) {
  const HalfSquaredErrorShape shape{.batch = 3, .elements = 7};
  std::vector<double> outputs = random_reals(shape.count(), 1);
  const std::vector<double> targets = random_reals(shape.count(), 2);
  const double scale = 1.0 / 3.0;
  const auto objective = [&] {
    const std::vector<double> losses = half_squared_error(shape, outputs, targets).losses;
    return scale * std::accumulate(losses.begin(), losses.end(), 0.0);
  };
  expect_gradient(half_squared_error(shape, outputs, targets, scale).grad_outputs,
                  central_differences(outputs, objective));
}

TEST(HalfSquaredErrorReference, NanSpoilsItsRowAlone) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const Result result = half_squared_error({.batch = 2, .elements = 2}, {nan, 1, 1, 1}, {0, 0, 0, 0});
  EXPECT_TRUE(std::isnan(result.losses[0]));
  EXPECT_EQ(result.losses[1], 1);
}

TEST(HalfSquaredErrorReference, RefusesShapesThatCannotBe) {
  const auto message = [](const HalfSquaredErrorShape& shape) -> std::string {
    try {
      shape.validate();
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(message({}), "");
  EXPECT_EQ(message({.batch = 0, .elements = 5}), "");
  EXPECT_EQ(message({.batch = -1}), "half_squared_error: batch is -1; it must be at least 0");
  EXPECT_EQ(message({.elements = 0}), "half_squared_error: elements is 0; it must be at least 1");
}

}  // namespace
}  // namespace touchstone
