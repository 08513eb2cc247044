// SPDX-License-Identifier: Apache-2.0
//
// The divergence of every Gaussian from every other (formula: gaussian_operations.h).
#include <cmath>
#include <cstdint>
#include <vector>

#include "touchstone/gaussian_operations.h"

namespace touchstone::reference {
namespace {

/// (l/m)^2 - 1 - 2 ln(l/m), which is d^2 + 2 (d - log(1 + d)) with d = l/m - 1: 0 where the two are equal, else
/// positive.
double diagonal_term(double l, double m) {
  const double d = (l - m) / m;
  if (std::abs(d) < near_one) return d * d + 2 * log1p_excess(d);
  const double quotient = l / m;
  return quotient * quotient - 1 - 2 * std::log(quotient);
}

/// KL of one pair, given as means [K] and factors [K,K].
double divergence(std::int64_t dimensions, const double* mean_p, const double* factor_p, const double* mean_q,
                  const double* factor_q) {
  const std::int64_t columns = dimensions + 1;  // the last one is the difference of the means
  std::vector<double> sides(static_cast<std::size_t>(dimensions * columns));
  for (std::int64_t r = 0; r < dimensions; ++r) {
    for (std::int64_t c = 0; c < dimensions; ++c) {
      const std::int64_t place = r * dimensions + c;
      sides[static_cast<std::size_t>(r * columns + c)] = factor_p[place] - factor_q[place];
    }
    sides[static_cast<std::size_t>(r * columns + dimensions)] = mean_p[r] - mean_q[r];
  }
  std::vector<double> solution(sides.size());
  gaussian_solve({.gaussians = 1, .dimensions = dimensions, .columns = columns}, factor_q, sides.data(),
                 solution.data());
  double sum = 0;
  for (std::int64_t r = 0; r < dimensions; ++r) {
    sum += diagonal_term(factor_p[r * dimensions + r], factor_q[r * dimensions + r]);
    for (std::int64_t c = 0; c < columns; ++c) {
      const double y = solution[static_cast<std::size_t>(r * columns + c)];
      if (c < r || c == dimensions) sum += y * y;
    }
  }
  return sum / 2;
}

}  // namespace

void gaussian_pairs(const GaussianShape& shape, const double* mean, const double* factor, double* divergence_matrix) {
  shape.validate();
  const std::int64_t k = shape.dimensions;
  for (std::int64_t i = 0; i < shape.gaussians; ++i) {
    for (std::int64_t j = 0; j < shape.gaussians; ++j) {
      divergence_matrix[i * shape.gaussians + j] =
          divergence(k, mean + i * k, factor + i * k * k, mean + j * k, factor + j * k * k);
    }
  }
}

}  // namespace touchstone::reference
