// SPDX-License-Identifier: Apache-2.0
//
// exp(x) for x <= 0, what sigmoid and softmax need. Included once per instruction set.
#if defined(TOUCHSTONE_HOST_CPU_EXPONENTIAL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TOUCHSTONE_HOST_CPU_EXPONENTIAL_INL_H_
#undef TOUCHSTONE_HOST_CPU_EXPONENTIAL_INL_H_
#else
#define TOUCHSTONE_HOST_CPU_EXPONENTIAL_INL_H_
#endif

#include <cstddef>
#include <cstdint>
#include <utility>

#include <hwy/highway.h>

#include "host/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace touchstone::cpu {
namespace HWY_NAMESPACE {

/// x * 2^n, subnormal results included, for whole -252 <= n <= 127 and x near 1; NaN where either is.
HWY_INLINE FloatVector scale_by_power_of_two(FloatVector x, FloatVector n) {
#if HWY_TARGET <= HWY_AVX3 && HWY_ARCH_X86
  return FloatVector{_mm512_scalef_ps(x.raw, n.raw)};  // which Highway has no name for
#else
  // In two steps, since 2^n itself can be below the smallest normal number.
  const Floats d;
  const Integers di;
  const auto power = [d, di](hn::Vec<Integers> exponent)
                         HWY_ATTR { return hn::BitCast(d, hn::ShiftLeft<23>(hn::Add(exponent, hn::Set(di, 127)))); };
  const hn::Vec<Integers> whole = hn::ConvertTo(di, n);
  const hn::Vec<Integers> half = hn::ShiftRight<1>(whole);
  return hn::Mul(hn::Mul(x, power(half)), power(hn::Sub(whole, half)));
#endif
}

/// The larger of the two, or x where it is a NaN.
HWY_INLINE FloatVector at_least(FloatVector least, FloatVector x) {
#if HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128
  return hn::Max(least, x);  // where either is a NaN, these processors take the second
#else
  return hn::IfThenElse(hn::Lt(x, least), least, x);
#endif
}

/// a * b rounded to an integer, for |a * b| < 2^22: added to 1.5 * 2^23, it has no bits left behind the point.
HWY_INLINE FloatVector rounded_product(FloatVector a, FloatVector b) {
  const FloatVector shift = hn::Set(Floats(), 12582912.0F);
  return hn::Sub(hn::MulAdd(a, b, shift), shift);
}

/// exp(x) for x <= 0, within one unit in the last place, subnormal results included; exp(-inf) = 0. A NaN stays
/// a NaN. Of several vectors step by step, so that none waits for the step before.
///
/// x = n ln 2 + r with |r| <= ln 2 / 2; exp(r) = 1 + r + r^2 P(r) with the polynomial of the Cephes library (expf);
/// n ln 2 is subtracted in two parts, the first of which has so few bits that n times it is exact.
template <std::size_t... i>
HWY_INLINE void exp_of_negatives(FloatVector (&x)[sizeof...(i)], std::index_sequence<i...> /*vectors*/) {
  const auto constant = [](float value) HWY_ATTR { return hn::Set(Floats(), value); };
  // exp(-104) rounds to 0, and below that nothing changes.
  ((x[i] = at_least(constant(-104.0F), x[i])), ...);
  const FloatVector n[] = {rounded_product(x[i], constant(1.44269504F))...};
  ((x[i] = hn::NegMulAdd(n[i], constant(0.693359375F), x[i])), ...);
  ((x[i] = hn::NegMulAdd(n[i], constant(-2.12194440e-4F), x[i])), ...);
  FloatVector p[] = {hn::MulAdd(constant(1.9875691500e-4F), x[i], constant(1.3981999507e-3F))...};
  ((p[i] = hn::MulAdd(p[i], x[i], constant(8.3334519073e-3F))), ...);
  ((p[i] = hn::MulAdd(p[i], x[i], constant(4.1665795894e-2F))), ...);
  ((p[i] = hn::MulAdd(p[i], x[i], constant(1.6666665459e-1F))), ...);
  ((p[i] = hn::MulAdd(p[i], x[i], constant(5.0000001201e-1F))), ...);
  ((p[i] = hn::Add(hn::MulAdd(hn::Mul(x[i], x[i]), p[i], x[i]), constant(1.0F))), ...);
  ((x[i] = scale_by_power_of_two(p[i], n[i])), ...);
}

HWY_INLINE FloatVector exp_of_negative(FloatVector x) {
  FloatVector only[] = {x};
  exp_of_negatives(only, std::index_sequence<0>());
  return only[0];
}

/// 1 / x for 1 <= x <= 2, within one unit in the last place; NaN of NaN.
HWY_INLINE FloatVector reciprocal(FloatVector x) {
#if HWY_TARGET <= HWY_AVX3 && HWY_ARCH_X86
  // 14 bits, and a step of Newton's method: a third of the time that a division of 16 lanes takes.
  const FloatVector guess = hn::ApproximateReciprocal(x);
  return hn::MulAdd(guess, hn::NegMulAdd(x, guess, hn::Set(Floats(), 1.0F)), guess);
#else
  return hn::Div(hn::Set(Floats(), 1.0F), x);
#endif
}

}  // namespace HWY_NAMESPACE
}  // namespace touchstone::cpu
HWY_AFTER_NAMESPACE();

#endif  // toggle
