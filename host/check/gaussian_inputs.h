// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "host/check/case_random.h"
#include "host/check/guarded_array.h"
#include "host/check/shapes.h"
#include "touchstone/gaussian_operations.h"

/// What the checks of the operations on Gaussians share. They compare double precision with long double, whose eleven
/// more bits the bounds' own slack covers.
namespace touchstone::check {

/// The unit roundoff of double precision.
inline constexpr long double double_roundoff = 0x1p-53L;

/// n*u/(1 - n*u): the relative error of n roundings in double precision that all point the same way.
[[nodiscard]] constexpr long double double_gamma(std::int64_t roundings) {
  const long double lost = static_cast<long double>(roundings) * double_roundoff;
  return lost / (1 - lost);
}

/// Sizes around the blocks of the kernels (16, 32, 128) first, then random ones.
LabelledShape<GaussianShape> gaussian_shape(std::int64_t index, CaseRandom& random);

/// Reals in [-4, 4) with some 50 significant bits.
GuardedArray<double> double_reals(std::int64_t count, CaseRandom& random);
/// Whole numbers from -magnitude to magnitude.
GuardedArray<double> double_integers(std::int64_t count, std::int64_t magnitude, CaseRandom& random);

/// Lower triangular matrices [C,K,K], poison above the diagonal replaced by zero: of small integers with powers of two
/// on the diagonal, so that substitution divides without rounding; each row has at most `neighbours` elements beside
/// it.
GuardedArray<double> integer_factors(const GaussianShape& shape, std::int64_t neighbours, bool unit_diagonal,
                                     CaseRandom& random);
/// Of reals, the diagonal from 1 to 5, the rows of the others small enough for solutions to stay moderate.
GuardedArray<double> real_factors(const GaussianShape& shape, CaseRandom& random);

/// The products L L^T [C,K,K], rounded once.
GuardedArray<double> products_of(const GaussianShape& shape, const GuardedArray<double>& factors);

}  // namespace touchstone::check
