// SPDX-License-Identifier: Apache-2.0
//
// exp(x) for x <= 0, what sigmoid and softmax need. Included once per instruction set.
#if defined(TOUCHSTONE_HOST_CPU_EXPONENTIAL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TOUCHSTONE_HOST_CPU_EXPONENTIAL_INL_H_
#undef TOUCHSTONE_HOST_CPU_EXPONENTIAL_INL_H_
#else
#define TOUCHSTONE_HOST_CPU_EXPONENTIAL_INL_H_
#endif

#include <cstdint>

#include <hwy/highway.h>

#include "host/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace touchstone::cpu {
namespace HWY_NAMESPACE {

using Integers = hn::RebindToSigned<Floats>;

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

/// exp(x) for x <= 0, within one unit in the last place, subnormal results included; exp(-inf) = 0. A NaN stays
/// a NaN.
///
/// x = n ln 2 + r with |r| <= ln 2 / 2; exp(r) = 1 + r + r^2 P(r) with the polynomial of the Cephes library (expf);
/// n ln 2 is subtracted in two parts, the first of which has so few bits that n times it is exact.
HWY_INLINE FloatVector exp_of_negative(FloatVector x) {
  const Floats d;
  // exp(-104) rounds to 0, and below that nothing changes; not by Max, which may lose a NaN.
  const FloatVector least = hn::Set(d, -104.0F);
  const FloatVector bounded = hn::IfThenElse(hn::Lt(x, least), least, x);
  const FloatVector n = hn::Round(hn::Mul(bounded, hn::Set(d, 1.44269504F)));
  FloatVector r = hn::NegMulAdd(n, hn::Set(d, 0.693359375F), bounded);
  r = hn::NegMulAdd(n, hn::Set(d, -2.12194440e-4F), r);
  FloatVector p = hn::Set(d, 1.9875691500e-4F);
  p = hn::MulAdd(p, r, hn::Set(d, 1.3981999507e-3F));
  p = hn::MulAdd(p, r, hn::Set(d, 8.3334519073e-3F));
  p = hn::MulAdd(p, r, hn::Set(d, 4.1665795894e-2F));
  p = hn::MulAdd(p, r, hn::Set(d, 1.6666665459e-1F));
  p = hn::MulAdd(p, r, hn::Set(d, 5.0000001201e-1F));
  return scale_by_power_of_two(hn::Add(hn::MulAdd(hn::Mul(r, r), p, r), hn::Set(d, 1.0F)), n);
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
