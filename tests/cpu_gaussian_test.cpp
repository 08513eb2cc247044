// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/cpu/gaussian_operations.h"
#include "tests/cpu_test_support.h"
#include "tests/gaussian_samples.h"
#include "tests/reference_values.h"
#include "touchstone/gaussian.h"

namespace touchstone {
namespace {

using ::testing::ElementsAre;
using testing::poison;
using testing::random_integers;
using testing::Uniform;

/// One below, at and above the rows and vectors that are worked on at once, and the stripes of a covariance.
const std::vector<std::int64_t> sizes = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 65};

/// What an operation writes on one device.
struct Results {
  std::vector<double> mean;
  std::vector<double> covariance;
  std::vector<double> factor;
  std::vector<std::int32_t> failures;
  std::vector<double> solution;
  std::vector<double> pairs;

  bool operator==(const Results&) const = default;
};

/// A covariance of each group, its factor, a solution with it, all pairs.
Results run(GaussianOperations& operations, const GaussianSamples& samples, const std::vector<double>& values) {
  const GaussianShape shape = samples.shape();
  Results results{.mean = poison(shape.means_count()),
                  .covariance = poison(shape.matrices_count()),
                  .factor = poison(shape.matrices_count()),
                  .failures = std::vector<std::int32_t>(static_cast<std::size_t>(shape.gaussians), -1),
                  .solution = poison(shape.matrices_count()),
                  .pairs = poison(shape.pairs_count())};
  operations.covariance(samples, CovarianceDivisor::unbiased, values.data(), results.mean.data(),
                        results.covariance.data());
  operations.cholesky(shape, results.covariance.data(), results.factor.data(), results.failures.data());
  operations.solve({.gaussians = shape.gaussians, .dimensions = shape.dimensions, .columns = shape.dimensions},
                   results.factor.data(), results.covariance.data(), results.solution.data());
  operations.pairs(shape, results.mean.data(), results.factor.data(), results.pairs.data());
  return results;
}

/// L with small integers below ones.
std::vector<double> integer_factor(std::int64_t gaussians, std::int64_t dimensions) {
  std::vector<double> factor = random_integers(gaussians * dimensions * dimensions, 1, 4);
  for (std::int64_t place = 0; place < gaussians * dimensions * dimensions; ++place) {
    const std::int64_t r = place / dimensions % dimensions;
    const std::int64_t c = place % dimensions;
    if (c == r) factor[static_cast<std::size_t>(place)] = 1;
    if (c > r || c + 3 < r) factor[static_cast<std::size_t>(place)] = 0;
  }
  return factor;
}

TEST(CpuGaussianTest, IntegersGiveTheSameBitsAsTheReference) {
  const auto cpu = cpu::make_gaussian_operations(2);
  const auto reference = reference::make_gaussian_operations();
  for (const std::int64_t dimensions : sizes) {
    const GaussianShape shape = {.gaussians = 3, .dimensions = dimensions};
    const std::vector<double> factor = integer_factor(3, dimensions);
    std::vector<double> product(factor.size());
    const auto at = [&](std::int64_t g, std::int64_t r, std::int64_t c) {
      return factor[static_cast<std::size_t>((g * dimensions + r) * dimensions + c)];
    };
    for (std::int64_t place = 0; place < shape.matrices_count(); ++place) {
      const std::int64_t g = place / dimensions / dimensions;
      for (std::int64_t k = 0; k < dimensions; ++k) {
        product[static_cast<std::size_t>(place)] +=
            at(g, place / dimensions % dimensions, k) * at(g, place % dimensions, k);
      }
    }
    const std::vector<double> mean = random_integers(shape.means_count(), 3, 5);
    std::vector<double> expected = poison(9);
    reference->pairs(shape, mean.data(), factor.data(), expected.data());
    test::for_each_instruction_set([&] {
      std::vector<double> got = poison(shape.matrices_count());
      std::vector<std::int32_t> failures(3, -1);
      cpu->cholesky(shape, product.data(), got.data(), failures.data());
      EXPECT_EQ(got, factor) << dimensions;
      EXPECT_THAT(failures, ElementsAre(0, 0, 0));
      std::vector<double> pairs = poison(9);
      cpu->pairs(shape, mean.data(), factor.data(), pairs.data());
      EXPECT_EQ(pairs, expected) << dimensions;
      EXPECT_EQ(pairs[0] + pairs[4] + pairs[8], 0);
    });
  }
}

TEST(CpuGaussianTest, CovariancesAgreeWithTheReference) {
  const auto cpu = cpu::make_gaussian_operations(2);
  const auto reference = reference::make_gaussian_operations();
  Uniform random(1);
  for (const std::int64_t dimensions : sizes) {
    GaussianSamples samples;
    samples.dimensions = dimensions;
    samples.offsets = {0, 3 * dimensions + 5, 8 * dimensions + 140};
    const std::vector<double> values = random.next(samples.samples_count());
    const Results expected = run(*reference, samples, values);
    test::for_each_instruction_set([&] {
      const Results got = run(*cpu, samples, values);
      // No product of deviations exceeds 4, and each side of the comparison rounds each sum of n of them at most n + 9
      // times: the sum itself, twice the mean, product, quotient.
      const auto n = static_cast<double>(samples.size(1));
      for (std::size_t i = 0; i < got.covariance.size(); ++i) {
        EXPECT_NEAR(got.covariance[i], expected.covariance[i], 2 * (n + 9) * 0x1p-53 * 4 * n / (n - 1));
      }
      EXPECT_EQ(got.pairs[0] + got.pairs[3], 0);
    });
  }
}

TEST(CpuGaussianTest, TheSameBitsForAnyNumberOfThreads) {
  Uniform random(2);
  GaussianSamples samples;
  samples.dimensions = 37;
  samples.offsets = {0, 100, 240, 300, 450};
  const std::vector<double> values = random.next(samples.samples_count());
  const Results one = run(*cpu::make_gaussian_operations(1), samples, values);
  EXPECT_EQ(run(*cpu::make_gaussian_operations(2), samples, values), one);
  EXPECT_EQ(run(*cpu::make_gaussian_operations(5), samples, values), one);
}

TEST(CpuGaussianTest, NamesTheFirstPivotThatFails) {
  const auto cpu = cpu::make_gaussian_operations(1);
  const GaussianShape shape = {.gaussians = 3, .dimensions = 6};
  std::vector<double> matrices(108);
  for (std::size_t k = 0; k < 18; ++k) matrices[k / 6 * 36 + k % 6 * 7] = 1;
  matrices[36 + 5 * 7] = 0;
  matrices[72 + 1 * 7] = -1;
  std::vector<double> factor = poison(108);
  std::vector<std::int32_t> failures(3, -1);
  cpu->cholesky(shape, matrices.data(), factor.data(), failures.data());
  EXPECT_THAT(failures, ElementsAre(0, 6, 2));
  EXPECT_TRUE(std::all_of(factor.begin() + 36, factor.end(), [](double value) { return value == 0; }));
}

}  // namespace
}  // namespace touchstone
