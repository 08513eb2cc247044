// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include <gtest/gtest.h>

namespace touchstone::testing {

/// The derivative of `function()` by every element of `point`, which the function reads, by central differences of
/// fourth order: (8 (f(x+h) - f(x-h)) - (f(x+2h) - f(x-2h))) / 12h = f'(x) - h^4 f'''''(x) / 30 + ... With h = 2^-10
/// both that error and the rounding of f (about 1e-16 / h) stay near 1e-13 for smooth functions of size 1; where f has
/// kinks, h must be too small for a step to reach one. The point is left as it was.
template <class Function>
std::vector<double> central_differences(std::vector<double>& point, const Function& function, double h = 0x1p-10) {
  std::vector<double> derivatives;
  derivatives.reserve(point.size());
  for (double& x : point) {
    const double centre = x;
    const auto at = [&](double offset) {
      x = centre + offset;
      return function();
    };
    derivatives.push_back((8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h));
    x = centre;
  }
  return derivatives;
}

/// Expects each element of a gradient to be within `tolerance` of the differences', relative to the largest of them.
inline void expect_gradient(const std::vector<double>& gradient, const std::vector<double>& differences,
                            double tolerance = 1e-10) {
  ASSERT_EQ(gradient.size(), differences.size());
  double largest = 0;
  for (const double difference : differences) {
    largest = std::max(largest, std::abs(difference));
  }
  for (std::size_t i = 0; i < gradient.size(); ++i) {
    EXPECT_NEAR(gradient[i], differences[i], tolerance * largest) << "element " << i << " of " << gradient.size();
  }
}

}  // namespace touchstone::testing
