// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

namespace touchstone::check {

/// Half the distance of float32 numbers to the next, relative: what one operation loses at most.
inline constexpr double unit_roundoff = 0x1p-24;
/// What one operation loses at most where its result is below the normal numbers.
inline constexpr double underflow_loss = 0x1p-150;
/// The error that exp and log may have, in ulps: what the CUDA and C libraries promise at worst. An ulp is at most two
/// unit roundoffs of the result.
inline constexpr double function_ulps = 2;
/// The smallest normal float32: where exp's result is below it, a device may give 0.
inline constexpr double smallest_normal = 0x1p-126;

/// n*u/(1 - n*u): the relative error of n float32 roundings that all point the same way (Higham, "Accuracy and
/// Stability of Numerical Algorithms", lemma 3.1).
double gamma(std::int64_t roundings);

/// A real number with a bound on the error of its float32 evaluation: running error analysis (Higham, section 3.3).
/// A formula written with these operators has the exact result as `value` (in double precision) and as `error` what
/// float32 may lose, in whatever way its roundings fall. A fused multiply-add rounds once where we count two.
struct Rounded {
  double value = 0;
  double error = 0;

  /// A number that is given in float32.
  static Rounded exact(double value) { return {value, 0}; }
  /// A constant that is computed in double precision and rounded to float32 once.
  static Rounded constant(double value);
};

Rounded operator+(const Rounded& a, const Rounded& b);
Rounded operator-(const Rounded& a, const Rounded& b);
Rounded operator*(const Rounded& a, const Rounded& b);
/// |b.value| must exceed b.error.
Rounded operator/(const Rounded& a, const Rounded& b);
/// a.value must not be negative.
Rounded sqrt(const Rounded& a);
Rounded exp(const Rounded& a);
/// a.value must exceed a.error.
Rounded log(const Rounded& a);
/// The sum in any order.
Rounded sum(std::span<const Rounded> terms);

/// 1 / (1 + exp(-a)): exp, sum, quotient. Where that is below smallest_normal it
/// may be 0: exp(-a) overflows there.
Rounded sigmoid(const Rounded& a);

}  // namespace touchstone::check
