// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace touchstone {

/// A matrix [count,dimensions] that need not be in memory as a whole.
struct RowSource {
  std::int64_t count = 0;
  std::int64_t dimensions = 0;
  /// Writes rows first to first + number - 1 to `rows` [number,dimensions].
  std::function<void(std::int64_t first, std::int64_t number, double* rows)> read;
};

/// The best linear code of rows x: of all affine maps onto `count` numbers and back, the one with the smallest mean
/// squared error keeps A (x - mean) and gives mean + A^T A (x - mean), where the rows of A are the eigenvectors of the
/// covariance with the largest eigenvalues (Eckart and Young, 1936; Baldi and Hornik, 1989).
struct PrincipalComponents {
  std::int64_t count = 0;
  std::int64_t dimensions = 0;
  std::vector<double> mean;       ///< [dimensions]
  std::vector<double> axes;       ///< A [count,dimensions]: orthonormal rows, each up to its sign
  std::vector<double> variances;  ///< [count]: the eigenvalues, descending; the covariance's divisor is the row count
};

/// The leading `count` principal components of the rows, each read twice. Double precision, and the same bits
/// whatever the number of threads. Throws UsageError unless there is a row and `count` is from 1 to the dimensions;
/// Error where values are not finite, and in a build without LAPACK.
PrincipalComponents principal_components(const RowSource& rows, std::int64_t count);

/// The mean over rows of |x - x'|^2, where x' is what the components give back of x. Throws UsageError unless there is
/// a row and the dimensions are the components'.
double mean_squared_error(const PrincipalComponents& components, const RowSource& rows);

/// The principal angles between the subspaces that the rows of `first` [p,dimensions] and of `second` [q,dimensions]
/// span: min(p, q) of them, ascending, in radians from 0 to pi/2. The first is the smallest between any two directions
/// of the two subspaces, the next the smallest between directions orthogonal to those, and so on; all are 0 where one
/// subspace contains the other. By the singular values of Qa^T Qb, the cosines, and of Qb - Qa Qa^T Qb, the sines, of
/// orthonormal bases Qa and Qb; each angle is taken from whichever of the two is below sqrt(1/2), so that small ones
/// too are accurate to some machine epsilons (Bjorck and Golub, "Numerical methods for computing angles between linear
/// subspaces", 1973). Throws Error where the rows of one are linearly dependent or not finite and in a build without
/// LAPACK, UsageError where
/// they are not 1 to `dimensions` rows.
std::vector<double> principal_angles(std::int64_t dimensions, const std::vector<double>& first,
                                     const std::vector<double>& second);

}  // namespace touchstone
