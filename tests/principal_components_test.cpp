// SPDX-License-Identifier: Apache-2.0
#include "touchstone/principal_components.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numbers>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/error_message.h"
#include "tests/gaussian_samples.h"

namespace touchstone {
namespace {

using ::testing::HasSubstr;
using Vectors = std::vector<std::vector<double>>;

constexpr double half_pi = std::numbers::pi / 2;

std::vector<double> flatten(const Vectors& rows) {
  std::vector<double> values;
  for (const std::vector<double>& row : rows) values.insert(values.end(), row.begin(), row.end());
  return values;
}

RowSource rows_of(std::int64_t dimensions, std::vector<double> values) {
  const std::int64_t count = static_cast<std::int64_t>(values.size()) / dimensions;
  return {.count = count,
          .dimensions = dimensions,
          .read = [dimensions, values = std::move(values)](std::int64_t first, std::int64_t number, double* rows) {
            std::copy_n(values.begin() + first * dimensions, number * dimensions, rows);
          }};
}

RowSource rows_of(const Vectors& rows) {
  return rows_of(static_cast<std::int64_t>(rows.front().size()), flatten(rows));
}

double product(const std::vector<double>& axes, std::size_t a, std::size_t b, std::size_t dimensions) {
  double sum = 0;
  for (std::size_t k = 0; k < dimensions; ++k) sum += axes[a * dimensions + k] * axes[b * dimensions + k];
  return sum;
}

/// Points on the axes at the distances 3, 1 and 2 from (10, 20, 30): the covariance is diag(9, 1, 4) / 3.
TEST(PrincipalComponents, OfADiagonalCovariance) {
  const RowSource rows = rows_of({{13, 20, 30}, {7, 20, 30}, {10, 21, 30}, {10, 19, 30}, {10, 20, 32}, {10, 20, 28}});
  const PrincipalComponents components = principal_components(rows, 2);
  EXPECT_EQ(components.mean, (std::vector<double>{10, 20, 30}));
  EXPECT_NEAR(components.variances[0], 3, 1e-15);
  EXPECT_NEAR(components.variances[1], 4.0 / 3, 1e-15);
  const std::vector<double> expected = {1, 0, 0, 0, 0, 1};
  for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(std::abs(components.axes[i]), expected[i], 1e-15);
  EXPECT_NEAR(mean_squared_error(components, rows), 1.0 / 3, 1e-15);  // what lies along the axis left out
  EXPECT_NEAR(mean_squared_error(components, rows_of({{0, 23, 0}, {0, 20, 0}})), 4.5, 1e-13);
}

/// numpy.linalg.eigh(numpy.cov(rows.T, bias=True))
TEST(PrincipalComponents, AgreeWithNumpy) {
  const PrincipalComponents components =
      principal_components(rows_of({{1, 2, 0}, {3, 1, 1}, {0, 0, 4}, {2, 5, 1}, {4, 4, 2}}), 3);
  const std::vector<double> variances = {4.78375193, 1.354167, 1.14208106};
  const std::vector<double> axes = {-0.47970884, -0.79202587, 0.37759031, 0.30628246, 0.25211542,
                                    0.91794818,  -0.82223505, 0.55599715, 0.12164164};
  for (std::size_t c = 0; c < 3; ++c) {
    EXPECT_NEAR(components.variances[c], variances[c], 1e-8);
    const double sign = components.axes[3 * c] * axes[3 * c] > 0 ? 1 : -1;
    for (std::size_t k = 3 * c; k < 3 * c + 3; ++k) EXPECT_NEAR(components.axes[k], sign * axes[k], 1e-8);
  }
}

/// Enough rows for several slices: what the components leave is what the other eigenvalues say.
TEST(PrincipalComponents, LeaveTheOtherEigenvaluesAsError) {
  constexpr std::int64_t dimensions = 7;
  testing::Uniform random(3);
  std::vector<double> values = random.next(2500 * dimensions);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] *= static_cast<double>(i % dimensions + 1);
  const RowSource rows = rows_of(dimensions, values);
  const PrincipalComponents all = principal_components(rows, dimensions);
  for (std::size_t a = 0; a < dimensions; ++a) {
    for (std::size_t b = 0; b <= a; ++b) EXPECT_NEAR(product(all.axes, a, b, dimensions), a == b ? 1 : 0, 1e-14);
  }
  double rest = 0;
  for (std::int64_t count = dimensions; count >= 1; --count) {
    const PrincipalComponents some = principal_components(rows, count);
    EXPECT_NEAR(mean_squared_error(some, rows), rest, 1e-12) << count;
    EXPECT_GE(some.variances.front(), some.variances.back());
    rest += all.variances[static_cast<std::size_t>(count - 1)];
  }
}

TEST(PrincipalComponents, RefuseWhatHasNone) {
  const RowSource two = rows_of({{1, 2}, {3, 5}});
  EXPECT_THROW(principal_components(two, 0), UsageError);
  EXPECT_THROW(principal_components(two, 3), UsageError);
  EXPECT_THROW(principal_components({.count = 0, .dimensions = 2, .read = two.read}, 1), UsageError);
  EXPECT_THROW(mean_squared_error(principal_components(two, 1), rows_of({{1, 2, 3}})), UsageError);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(test::error_message([&] {
                principal_components(rows_of({{1, nan}, {2, 3}}), 1);
              }),
              HasSubstr("not finite"));
}

TEST(PrincipalAngles, OfEqualSubspacesAreZero) {
  testing::Uniform random(5);
  const std::vector<double> first = random.next(3 * 20);
  std::vector<double> second(first.size());  // the same rows, mixed
  for (std::size_t k = 0; k < 20; ++k) {
    second[k] = first[k] - 2 * first[20 + k];
    second[20 + k] = 3 * first[20 + k] + first[40 + k];
    second[40 + k] = first[k] + first[40 + k];
  }
  for (const double angle : principal_angles(20, first, second)) EXPECT_NEAR(angle, 0, 1e-14);
}

TEST(PrincipalAngles, OfOrthogonalSubspacesAreRight) {
  const std::vector<double> angles =
      principal_angles(4, flatten({{1, 1, 0, 0}, {1, -2, 0, 0}}), flatten({{0, 0, 3, 1}, {0, 0, 1, 1}}));
  ASSERT_EQ(angles.size(), 2U);
  for (const double angle : angles) EXPECT_NEAR(angle, half_pi, 1e-15);
}

/// Planes of four dimensions that are turned by one angle in each of two planes; the bases are mixed.
TEST(PrincipalAngles, AreAccurateFromTinyToRight) {
  const std::vector<double> tested = {0, 1e-10, 1e-3, 0.7853, 0.7855, 1.5, half_pi - 1e-10};
  for (std::size_t i = 0; i < tested.size(); ++i) {
    for (std::size_t j = i; j < tested.size(); ++j) {
      const std::vector<double> u = {std::cos(tested[i]), 0, std::sin(tested[i]), 0};
      const std::vector<double> v = {0, std::cos(tested[j]), 0, std::sin(tested[j])};
      Vectors mixed(2, std::vector<double>(4));
      for (std::size_t k = 0; k < 4; ++k) {
        mixed[0][k] = 2 * u[k] + v[k];
        mixed[1][k] = u[k] - v[k];
      }
      const std::vector<double> angles = principal_angles(4, flatten({{1, 1, 0, 0}, {1, 3, 0, 0}}), flatten(mixed));
      ASSERT_EQ(angles.size(), 2U);
      EXPECT_NEAR(angles[0], tested[i], 1e-15);
      EXPECT_NEAR(angles[1], tested[j], 1e-15);
    }
  }
}

/// scipy.linalg.subspace_angles
TEST(PrincipalAngles, AgreeWithScipy) {
  const std::vector<double> angles =
      principal_angles(4, flatten({{1, 2, 0, 1}, {0, 1, 3, 1}}), flatten({{1, 0, 1, 0}, {2, 1, 0, 1}}));
  ASSERT_EQ(angles.size(), 2U);
  EXPECT_NEAR(angles[0], 0.309349290750461, 1e-14);
  EXPECT_NEAR(angles[1], 0.877444691344226, 1e-14);
}

TEST(PrincipalAngles, OfSubspacesOfDifferentSize) {
  const std::vector<double> plane = flatten({{1, 0, 0}, {1, 1, 0}});
  for (const auto& [vector, expected] : std::vector<std::pair<std::vector<double>, double>>{
           {{3, 4, 0}, 0}, {{0, 0, -2}, half_pi}, {{1, 0, 1}, half_pi / 2}, {{1, 0, 1e-9}, 1e-9}}) {
    for (const std::vector<double>& angles : {principal_angles(3, plane, vector), principal_angles(3, vector, plane)}) {
      ASSERT_EQ(angles.size(), 1U);
      EXPECT_NEAR(angles[0], expected, 1e-15);
    }
  }
}

TEST(PrincipalAngles, RefuseWhatSpansNoSuchSubspace) {
  const std::vector<double> fine = {1, 0, 0};
  EXPECT_THAT(test::error_message([&] {
                principal_angles(3, fine, flatten({{1, 2, 3}, {2, 4, 6}}));
              }),
              HasSubstr("2 vectors of 3 dimensions are linearly dependent"));
  EXPECT_THROW(principal_angles(3, fine, {0, 0, 0}), Error);
  EXPECT_THROW(principal_angles(3, fine, {}), UsageError);
  EXPECT_THROW(principal_angles(3, fine, {1, 2, 3, 4}), UsageError);
  EXPECT_THROW(principal_angles(1, {1}, {1, 2}), UsageError);
  EXPECT_THAT(test::error_message([&] { principal_angles(2, {1, 0}, {1, std::nan("")}); }), HasSubstr("not finite"));
}

}  // namespace
}  // namespace touchstone
