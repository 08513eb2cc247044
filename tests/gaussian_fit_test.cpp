// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/error_message.h"
#include "tests/gaussian_samples.h"
#include "touchstone/gaussian.h"

namespace touchstone {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Uniform;

GaussianFitSettings with_shrinkage(Shrinkage::Kind kind, double amount = 0) {
  return {.divisor = CovarianceDivisor::unbiased, .shrinkage = {.kind = kind, .amount = amount}};
}

TEST(GaussianFitTest, WorkedByHand) {
  const std::vector<double> values = {1, 2, 3, 6, 5, 4};  // mean (3, 4); deviations (-2,-2), (0,2), (2,0)
  const Gaussian unbiased = fit_gaussian(values, 2);
  EXPECT_THAT(unbiased.mean(), ElementsAre(3, 4));
  EXPECT_THAT(unbiased.covariance(), ElementsAre(4, 2, 2, 4));
  const Gaussian likeliest = fit_gaussian(values, 2, {.divisor = CovarianceDivisor::maximum_likelihood});
  EXPECT_THAT(likeliest.covariance(), ElementsAre(8.0 / 3, 4.0 / 3, 4.0 / 3, 8.0 / 3));
}

TEST(GaussianFitTest, ALargeMeanDoesNotCancel) {
  std::vector<double> values = {1, 2, 3, 6, 5, 4};
  for (double& value : values) value += 1e12;
  EXPECT_THAT(fit_gaussian(values, 2).covariance(), ElementsAre(4, 2, 2, 4));
}

TEST(GaussianFitTest, ShrinkageDrawsToTheMeanVariance) {
  const std::vector<double> values = {1, 2, 3, 6, 5, 4};
  const Gaussian half = fit_gaussian(values, 2, with_shrinkage(Shrinkage::Kind::fixed, 0.5));
  EXPECT_THAT(half.covariance(), ElementsAre(4, 1, 1, 4));
  const Gaussian whole = fit_gaussian({0, 0, 2, 8, 4, 4}, 2, with_shrinkage(Shrinkage::Kind::fixed, 1));
  EXPECT_THAT(whole.covariance(), ElementsAre(10, 0, 0, 10));
}

TEST(GaussianFitTest, LedoitAndWolfWorkedByHand) {
  // Deviations (1,0), (-1,0), (0,2), (0,-2): S = diag(1/2, 2), mu = 5/4, delta = (9/16 + 9/16) / 2 = 9/16,
  // beta = ((1 + 1 + 16 + 16) / 4 - 17/4) / (4 * 2) = 17/32, amount = 17/18.
  const std::vector<double> values = {1, 0, -1, 0, 0, 2, 0, -2};
  const std::vector<double> mean = {0, 0};
  const std::vector<double> covariance = {0.5, 0, 0, 2};
  EXPECT_DOUBLE_EQ(ledoit_wolf_shrinkage(4, 2, values.data(), mean.data(), covariance.data()), 17.0 / 18);
  // The unbiased covariance is 4/3 of that; the amount is the same.
  const double variance = 4.0 / 3;
  const Gaussian fitted = fit_gaussian(values, 2, with_shrinkage(Shrinkage::Kind::automatic));
  EXPECT_DOUBLE_EQ(fitted.covariance()[0], variance * (0.5 / 18 + 1.25 * 17 / 18));
  EXPECT_DOUBLE_EQ(fitted.covariance()[3], variance * (2.0 / 18 + 1.25 * 17 / 18));
}

TEST(GaussianFitTest, ShrinkageFitsWithFewerSamplesThanDimensions) {
  Uniform random(1);
  const std::vector<double> values = random.next(std::int64_t{5} * 20);
  EXPECT_EQ(fit_gaussian(values, 20, with_shrinkage(Shrinkage::Kind::automatic)).dimensions(), 20);
}

TEST(GaussianFitTest, PartsAreFittedApart) {
  Uniform random(2);
  const std::vector<double> values = random.next(std::int64_t{30} * 3);
  GaussianSamples samples;
  samples.dimensions = 3;
  samples.offsets = {0, 10, 30};
  const auto operations = reference::make_gaussian_operations();
  const FittedGaussians fitted = fit_gaussians(*operations, samples, values, {}, {"a", "b"});
  const Gaussian second = fit_gaussian({values.begin() + 30, values.end()}, 3);
  EXPECT_EQ(std::vector<double>(fitted.covariance.begin() + 9, fitted.covariance.end()), second.covariance());
  EXPECT_EQ(std::vector<double>(fitted.factor.begin() + 9, fitted.factor.end()), second.factor());
}

std::string fit_message(const std::vector<double>& values, std::int64_t dimensions,
                        const GaussianFitSettings& settings = {}) {
  return test::error_message([&] { static_cast<void>(fit_gaussian(values, dimensions, settings, "class 3")); });
}

TEST(GaussianFitTest, BadInputSaysWhatToDo) {
  EXPECT_THAT(fit_message({1, 2, 3, 4}, 2), AllOf(HasSubstr("class 3: 2 samples of 2 dimensions; expected at least 3"),
                                                  HasSubstr("--shrinkage auto")));
  EXPECT_THAT(fit_message({1, 2}, 2, with_shrinkage(Shrinkage::Kind::automatic)), HasSubstr("expected at least 2"));
  EXPECT_THAT(fit_message({1, 2, 3, NAN, 5, 7}, 2), HasSubstr("class 3: dimension 1 of sample 1 is nan"));
  EXPECT_THAT(fit_message({1, 2, 3, 2, 5, 2}, 2),
              HasSubstr("dimension 1 is constant (zero variance); leave it out, or use shrinkage"));
  EXPECT_THAT(fit_message({1, 2, 7, 3, 2, 7, 5, 2, 7, 0, 2, 7}, 3),
              HasSubstr("dimension 1 is constant (zero variance), as are 1 more of 3; leave them out"));
  EXPECT_THAT(fit_message({1, 2, 1, 2, 1, 2}, 2), HasSubstr("all samples are equal"));
  EXPECT_THAT(fit_message({1, 2, 2, 4, 3, 6, 7, 14}, 2),
              HasSubstr("dimension 1 depends on those before it (eigenvalue"));
}

}  // namespace
}  // namespace touchstone
