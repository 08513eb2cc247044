// SPDX-License-Identifier: Apache-2.0
#include "touchstone/gaussian.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/error_message.h"
#include "tests/gaussian_samples.h"
#include "touchstone/error.h"

namespace touchstone {
namespace {

using testing::covariance_with;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::Uniform;
using testing::well_conditioned;

constexpr double unit = std::numeric_limits<double>::epsilon() / 2;

Gaussian random_gaussian(std::int64_t dimensions, Uniform& random) {
  std::vector<double> mean = random.next(dimensions);
  return Gaussian(std::move(mean), well_conditioned(dimensions, random));
}

/// The lower triangular factor of a covariance in long double.
std::vector<long double> long_factor(const Gaussian& gaussian) {
  const auto k = static_cast<std::size_t>(gaussian.dimensions());
  std::vector<long double> factor(k * k);
  for (std::size_t c = 0; c < k; ++c) {
    for (std::size_t r = c; r < k; ++r) {
      long double value = gaussian.covariance()[r * k + c];
      for (std::size_t l = 0; l < c; ++l) value -= factor[r * k + l] * factor[c * k + l];
      factor[r * k + c] = r == c ? std::sqrt(value) : value / factor[c * k + c];
    }
  }
  return factor;
}

/// The terms of the textbook's formula, in long double.
struct Terms {
  long double trace = 0;
  long double distance = 0;
  long double log_determinants = 0;
  [[nodiscard]] long double divergence(std::int64_t dimensions) const {
    return (trace + distance - static_cast<long double>(dimensions) + log_determinants) / 2;
  }
};

Terms textbook(const Gaussian& p, const Gaussian& q) {
  const auto k = static_cast<std::size_t>(p.dimensions());
  const std::vector<long double> in_p = long_factor(p);
  const std::vector<long double> in_q = long_factor(q);
  Terms terms;
  for (std::size_t column = 0; column <= k; ++column) {
    std::vector<long double> x(k);
    for (std::size_t r = 0; r < k; ++r) {
      x[r] = column < k ? in_p[r * k + column] : static_cast<long double>(p.mean()[r]) - q.mean()[r];
      for (std::size_t l = 0; l < r; ++l) x[r] -= in_q[r * k + l] * x[l];
      x[r] /= in_q[r * k + r];
      (column < k ? terms.trace : terms.distance) += x[r] * x[r];
    }
  }
  for (std::size_t r = 0; r < k; ++r) terms.log_determinants += 2 * std::log(in_q[r * k + r] / in_p[r * k + r]);
  return terms;
}

/// How far double precision may be off: the factor of S is that of a matrix within (K + 1) K u |S| of it (Higham,
/// theorem 10.3), which moves S^-1 by the condition times as much.
double error_bound(const Terms& terms, std::int64_t dimensions, double condition) {
  const auto k = static_cast<double>(dimensions);
  const auto size = static_cast<double>(terms.trace + terms.distance) + k;
  return 2 * k * (k + 1) * unit * condition * size;
}

TEST(GaussianTest, OneDimensionIsTheClosedForm) {
  // ln(s1/s0) + (s0^2 + (m0 - m1)^2) / (2 s1^2) - 1/2
  const Gaussian p({1}, {4});
  const Gaussian q({-1}, {9});
  EXPECT_DOUBLE_EQ(kl_divergence(p, q), std::log(1.5) + 8.0 / 18.0 - 0.5);
  EXPECT_DOUBLE_EQ(kl_divergence(q, p), std::log(2.0 / 3.0) + 13.0 / 8.0 - 0.5);
  EXPECT_DOUBLE_EQ(jeffreys_divergence(p, q), 8.0 / 18.0 + 13.0 / 8.0 - 1);
  EXPECT_DOUBLE_EQ(p.log_determinant(), std::log(4.0));
  const std::vector<double> point = {3};
  EXPECT_DOUBLE_EQ(p.log_density(point), -0.5 * (std::log(2 * std::numbers::pi) + std::log(4.0) + 1));
}

TEST(GaussianTest, TwoDimensionsWorkedByHand) {
  // S0 = [[2,1],[1,2]], S1 = I, m0 - m1 = (1,2): tr = 4, distance 5, -K = -2, ln(1/3).
  const Gaussian p({1, 2}, {2, 1, 1, 2});
  const Gaussian q({0, 0}, {1, 0, 0, 1});
  EXPECT_DOUBLE_EQ(kl_divergence(p, q), (4 + 5 - 2 - std::log(3.0)) / 2);
  // S0^-1 = [[2,-1],[-1,2]] / 3: tr = 4/3, distance (2 - 4 + 8) / 3 = 2.
  EXPECT_DOUBLE_EQ(kl_divergence(q, p), (4.0 / 3 + 2 - 2 + std::log(3.0)) / 2);
}

TEST(GaussianTest, DiagonalIsTheSumOfItsDimensions) {
  Uniform random(1);
  std::vector<double> mean_p = random.next(7);
  std::vector<double> mean_q = random.next(7);
  std::vector<double> in_p(49);
  std::vector<double> in_q(49);
  double sum = 0;
  for (std::size_t k = 0; k < 7; ++k) {
    in_p[k * 8] = std::exp2(3 * random.next());
    in_q[k * 8] = std::exp2(3 * random.next());
    sum += kl_divergence(Gaussian({mean_p[k]}, {in_p[k * 8]}), Gaussian({mean_q[k]}, {in_q[k * 8]}));
  }
  EXPECT_NEAR(kl_divergence(Gaussian(mean_p, in_p), Gaussian(mean_q, in_q)), sum, 16 * unit * sum);
}

TEST(GaussianTest, EqualGaussiansAreAtZero) {
  Uniform random(2);
  for (const std::int64_t dimensions : {1, 2, 5, 33}) {
    const Gaussian p = random_gaussian(dimensions, random);
    EXPECT_EQ(kl_divergence(p, p), 0);
    EXPECT_EQ(jensen_shannon_divergence(p, p, 10, 1).value, 0);
  }
}

TEST(GaussianTest, NeverNegativeAndNotSymmetric) {
  Uniform random(3);
  for (int i = 0; i < 50; ++i) {
    const Gaussian p = random_gaussian(1 + i % 9, random);
    const Gaussian q = random_gaussian(1 + i % 9, random);
    EXPECT_GT(kl_divergence(p, q), 0);
    EXPECT_NE(kl_divergence(p, q), kl_divergence(q, p));
    EXPECT_EQ(jeffreys_divergence(p, q), jeffreys_divergence(q, p));
  }
}

TEST(GaussianTest, NearlyEqualGaussiansKeepTheirDigits) {
  // N(0, 1) and N(0, 1 + e): (ln(1 + e) - e / (1 + e)) / 2, which is e^2/4 - e^3/3 + ...
  for (const double e : {1e-3, 1e-6, 1e-9, 1e-12}) {
    const double grown = 1 + e;  // what double precision holds of it
    const long double exact = static_cast<long double>(grown) - 1;
    const long double expected = (std::log1p(exact) - exact / (1 + exact)) / 2;
    const double got = kl_divergence(Gaussian({0}, {1}), Gaussian({0}, {grown}));
    // The root of 1 + e has a rounding, which is 2 u / e of the difference from 1.
    EXPECT_NEAR(got, static_cast<double>(expected), 4 * unit / e * static_cast<double>(expected)) << e;
    EXPECT_GT(got, 0) << e;
  }
}

TEST(GaussianTest, SeriesOfTheLogarithmIsAccurate) {
  for (double d = -0.2499; d < 0.25; d += 0.00037) {
    const long double exact = static_cast<long double>(d) - std::log1p(static_cast<long double>(d));
    EXPECT_NEAR(log1p_excess(d), static_cast<double>(exact), 8 * unit * static_cast<double>(exact)) << d;
  }
  EXPECT_EQ(log1p_excess(0), 0);
}

TEST(GaussianTest, AgreesWithTheTextbookInLongDouble) {
  Uniform random(4);
  for (const std::int64_t dimensions : {1, 3, 8, 31, 64}) {
    const Gaussian p = random_gaussian(dimensions, random);
    const Gaussian q = random_gaussian(dimensions, random);
    const Terms terms = textbook(p, q);
    EXPECT_NEAR(kl_divergence(p, q), static_cast<double>(terms.divergence(dimensions)),
                error_bound(terms, dimensions, 4));
  }
}

TEST(GaussianTest, NearlySingularCovariancesAgreeWithLongDouble) {
  Uniform random(5);
  for (const double condition : {1e3, 1e6, 1e9, 1e12}) {
    for (const std::int64_t dimensions : {2, 5, 12}) {
      std::vector<double> eigenvalues;
      for (std::int64_t k = 0; k < dimensions; ++k) {
        eigenvalues.push_back(std::pow(condition, -static_cast<double>(k) / static_cast<double>(dimensions - 1)));
      }
      const Gaussian p(random.next(dimensions), covariance_with(eigenvalues, random));
      const Gaussian q(random.next(dimensions), covariance_with(eigenvalues, random));
      const Terms terms = textbook(p, q);
      EXPECT_NEAR(kl_divergence(p, q), static_cast<double>(terms.divergence(dimensions)),
                  error_bound(terms, dimensions, condition))
          << condition;
    }
  }
}

TEST(GaussianTest, ScalesThatDifferPerDimensionCostNoDigits) {
  // S = D C D with scales down to 1e-6: a condition of 1e12, but Cholesky's error is governed by C's.
  Uniform random(6);
  const std::int64_t dimensions = 10;
  std::vector<double> in_p = well_conditioned(dimensions, random);
  std::vector<double> in_q = well_conditioned(dimensions, random);
  std::vector<double> mean_p = random.next(dimensions);
  std::vector<double> mean_q = random.next(dimensions);
  const double plain = kl_divergence(Gaussian(mean_p, in_p), Gaussian(mean_q, in_q));
  for (std::size_t r = 0; r < 10; ++r) {
    const double scale = std::exp2(-2.0 * static_cast<double>(r));  // powers of two: no rounding
    mean_p[r] *= scale;
    mean_q[r] *= scale;
    for (std::size_t c = 0; c < 10; ++c) {
      const double both = scale * std::exp2(-2.0 * static_cast<double>(c));
      in_p[r * 10 + c] *= both;
      in_q[r * 10 + c] *= both;
    }
  }
  EXPECT_EQ(kl_divergence(Gaussian(mean_p, in_p), Gaussian(mean_q, in_q)), plain);
}

/// The image of a Gaussian under x -> A x + b with A lower triangular: its factor is A L.
Gaussian mapped(const Gaussian& gaussian, const std::vector<double>& a, const std::vector<double>& b) {
  const std::size_t k = b.size();
  std::vector<double> mean = b;
  std::vector<double> half(k * k);
  std::vector<double> covariance(k * k);
  for (std::size_t r = 0; r < k; ++r) {
    for (std::size_t i = 0; i < k; ++i) {
      mean[r] += a[r * k + i] * gaussian.mean()[i];
      for (std::size_t c = 0; c < k; ++c) half[r * k + c] += a[r * k + i] * gaussian.covariance()[i * k + c];
    }
  }
  for (std::size_t r = 0; r < k; ++r) {
    for (std::size_t c = 0; c < k; ++c) {
      for (std::size_t i = 0; i < k; ++i) covariance[r * k + c] += half[r * k + i] * a[c * k + i];
    }
  }
  return Gaussian(std::move(mean), std::move(covariance));
}

TEST(GaussianTest, AffineMapsChangeNothing) {
  Uniform random(7);
  for (const std::int64_t dimensions : {1, 2, 6, 20}) {
    const auto k = static_cast<std::size_t>(dimensions);
    std::vector<double> a = random.next(dimensions * dimensions);
    for (std::size_t r = 0; r < k; ++r) {
      for (std::size_t c = 0; c < k; ++c) a[r * k + c] = a[r * k + c] / static_cast<double>(k) + (r == c ? 2 : 0);
    }
    const std::vector<double> b = random.next(dimensions);
    const Gaussian p = random_gaussian(dimensions, random);
    const Gaussian q = random_gaussian(dimensions, random);
    // |A - 2 I| is at most 1, so A's condition is at most 3 and that of A S A^T at most 36.
    EXPECT_NEAR(kl_divergence(mapped(p, a, b), mapped(q, a, b)), kl_divergence(p, q),
                2 * error_bound(textbook(p, q), dimensions, 36));
  }
}

TEST(GaussianTest, AgreesWithMonteCarloWithinItsStandardError) {
  Uniform random(8);
  const Gaussian p = random_gaussian(4, random);
  const Gaussian q = random_gaussian(4, random);
  constexpr std::int64_t count = 20000;
  const std::vector<double> draws = p.sample(count, 9);
  double sum = 0;
  double squares = 0;
  for (std::size_t n = 0; n < count; ++n) {
    const std::span<const double> point(draws.data() + n * 4, 4);
    const double term = p.log_density(point) - q.log_density(point);
    sum += term / count;
    squares += term * term / count;
  }
  const double standard_error = std::sqrt((squares - sum * sum) / count);
  EXPECT_LT(standard_error, 0.05 * sum);
  EXPECT_NEAR(sum, kl_divergence(p, q), 4 * standard_error);
}

TEST(GaussianTest, SamplesHaveTheMeanAndTheCovariance) {
  const Gaussian gaussian({1, -2}, {4, 1.5, 1.5, 1});
  constexpr std::int64_t count = 40000;
  const std::vector<double> draws = gaussian.sample(count, 3);
  const Gaussian fitted = fit_gaussian(draws, 2);
  EXPECT_NEAR(fitted.mean()[0], 1, 4 * 2 / std::sqrt(count));
  EXPECT_NEAR(fitted.mean()[1], -2, 4 * 1 / std::sqrt(count));
  for (const std::size_t place : {0U, 1U, 3U}) {  // the variance of an element is at most 2 S[k,k] S[l,l] / n
    EXPECT_NEAR(fitted.covariance()[place], gaussian.covariance()[place], 4 * 4 * std::sqrt(2.0 / count));
  }
  EXPECT_EQ(gaussian.sample(3, 3), std::vector<double>(draws.begin(), draws.begin() + 6));
  EXPECT_NE(gaussian.sample(3, 4), gaussian.sample(3, 3));
  EXPECT_NE(gaussian.sample(3, 3, 1), gaussian.sample(3, 3));
}

TEST(GaussianTest, JensenShannonLiesBetweenZeroAndLn2) {
  const Gaussian p({0}, {1});
  const Estimate near = jensen_shannon_divergence(p, Gaussian({0.1}, {1}), 20000, 1);
  const Estimate far = jensen_shannon_divergence(p, Gaussian({100}, {1}), 1000, 1);
  EXPECT_NEAR(far.value, std::numbers::ln2, 1000 * unit);  // a sum of 1000 terms
  EXPECT_LT(far.standard_error, 1000 * unit);
  // For a shift of e the divergence is e^2/8 to first order.
  EXPECT_NEAR(near.value, 0.01 / 8, 4 * near.standard_error + 1e-5);
  EXPECT_LT(near.standard_error, 0.5 * near.value);
}

/// Both halves of N(0, 1) against N(d, 1) by the trapezium rule, which for such a smooth and fast falling integrand is
/// exact to many digits.
TEST(GaussianTest, JensenShannonAgreesWithAnIntegral) {
  constexpr double shift = 2;
  double integral = 0;
  constexpr double step = 1e-3;
  for (double x = -10; x < 12; x += step) {
    const double p = std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi);
    const double q = std::exp(-(x - shift) * (x - shift) / 2) / std::sqrt(2 * std::numbers::pi);
    const double m = (p + q) / 2;
    integral += step * (p * std::log(p / m) + q * std::log(q / m)) / 2;
  }
  const Estimate estimate = jensen_shannon_divergence(Gaussian({0}, {1}), Gaussian({shift}, {1}), 20000, 5);
  EXPECT_NEAR(estimate.value, integral, 4 * estimate.standard_error);
  EXPECT_LT(estimate.standard_error, 0.02 * integral);
}

TEST(GaussianTest, BadInputIsNamed) {
  const auto message = [](std::vector<double> mean, std::vector<double> covariance) {
    return test::error_message([&] { static_cast<void>(Gaussian(std::move(mean), std::move(covariance), "P")); });
  };
  EXPECT_THAT(message({}, {}), HasSubstr("the mean of P is empty"));
  EXPECT_THAT(message({1, 2}, {1, 2, 3}), HasSubstr("needs 2 x 2 elements; got 3"));
  EXPECT_THAT(message({1, NAN}, {1, 0, 0, 1}), HasSubstr("element 1 of the mean of P is nan"));
  EXPECT_THAT(message({1, 2}, {1, 0, 0, INFINITY}), HasSubstr("element 3 of the covariance of P is inf"));
  EXPECT_THAT(message({1, 2}, {2, 1, 0.5, 2}), HasSubstr("is not symmetric: element [1,0] is 0.5, element [0,1] is 1"));
  EXPECT_THAT(message({1, 2}, {1, 2, 2, 1}), HasSubstr("eigenvalue 1 of 2, in ascending order, is -1"));
  EXPECT_THAT(message({1, 2}, {-1, 0, 0, -2}), HasSubstr("2 eigenvalues are not above 0: eigenvalue 1 of 2, in "
                                                         "ascending order, is -2"));
  EXPECT_THAT(message({1, 2}, {1, 1, 1, 1}), HasSubstr("not positive definite (its factorisation fails at row 1)"));
  const Gaussian one({0}, {1});
  const Gaussian two({0, 0}, {1, 0, 0, 1});
  EXPECT_THAT(test::error_message([&] { static_cast<void>(kl_divergence(one, two)); }),
              HasSubstr("the first Gaussian has 1 dimensions and the second has 2"));
  EXPECT_THROW(static_cast<void>(jensen_shannon_divergence(one, one, 1, 1)), UsageError);
}

TEST(GaussianTest, RoundingAcrossTheDiagonalIsForgiven) {
  const Gaussian gaussian({0, 0}, {1, 0.1, std::nextafter(0.1, 1), 1});
  EXPECT_EQ(gaussian.covariance()[1], gaussian.covariance()[2]);
}

}  // namespace
}  // namespace touchstone
