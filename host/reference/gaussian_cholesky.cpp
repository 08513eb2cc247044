// SPDX-License-Identifier: Apache-2.0
//
// The Cholesky factors of several matrices (formulas: gaussian_operations.h), column by column.
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "touchstone/gaussian_operations.h"

namespace touchstone::reference {
namespace {

/// S[r,k] - sum over l < k of L[r,l] L[k,l].
double reduced(std::int64_t dimensions, const double* matrix, const double* factor, std::int64_t r, std::int64_t k) {
  double value = matrix[r * dimensions + k];
  for (std::int64_t l = 0; l < k; ++l) value -= factor[r * dimensions + l] * factor[k * dimensions + l];
  return value;
}

/// 0, or k + 1 for the first pivot that is too small.
std::int32_t factorise(std::int64_t dimensions, const double* matrix, double* factor) {
  std::fill(factor, factor + dimensions * dimensions, 0.0);
  for (std::int64_t k = 0; k < dimensions; ++k) {
    const double pivot = reduced(dimensions, matrix, factor, k, k);
    if (!(pivot > smallest_pivot(dimensions) * matrix[k * dimensions + k])) return static_cast<std::int32_t>(k + 1);
    const double root = std::sqrt(pivot);
    factor[k * dimensions + k] = root;
    for (std::int64_t r = k + 1; r < dimensions; ++r) {
      factor[r * dimensions + k] = reduced(dimensions, matrix, factor, r, k) / root;
    }
  }
  return 0;
}

}  // namespace

void gaussian_cholesky(const GaussianShape& shape, const double* covariance, double* factor, std::int32_t* failures) {
  shape.validate();
  const std::int64_t size = shape.dimensions * shape.dimensions;
  for (std::int64_t gaussian = 0; gaussian < shape.gaussians; ++gaussian) {
    double* one = factor + gaussian * size;
    failures[gaussian] = factorise(shape.dimensions, covariance + gaussian * size, one);
    if (failures[gaussian] != 0) std::fill(one, one + size, 0.0);
  }
}

}  // namespace touchstone::reference
