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

/// 2^n for -126 <= n <= 127.
HWY_INLINE FloatVector power_of_two(hn::Vec<Integers> n) {
  return hn::BitCast(Floats(), hn::ShiftLeft<23>(hn::Add(n, hn::Set(Integers(), 127))));
}

/// exp(x) for x <= 0, within one unit in the last place, subnormal results included; exp(-inf) = 0. A NaN stays
/// a NaN.
///
/// x = n ln 2 + r with |r| <= ln 2 / 2; exp(r) = 1 + r + r^2 P(r) with the polynomial of the Cephes library (expf);
/// n ln 2 is subtracted in two parts, the first of which has so few bits that n times it is exact. The scaling by 2^n
/// goes in two steps, since 2^n itself can be below the smallest normal number.
HWY_INLINE FloatVector exp_of_negative(FloatVector x) {
  const Floats d;
  // exp(-104) rounds to 0, and below that nothing changes.
  const FloatVector bounded = hn::Max(x, hn::Set(d, -104.0F));
  const hn::Vec<Integers> n = hn::NearestInt(hn::Mul(bounded, hn::Set(d, 1.44269504F)));
  const FloatVector whole = hn::ConvertTo(d, n);
  FloatVector r = hn::NegMulAdd(whole, hn::Set(d, 0.693359375F), bounded);
  r = hn::NegMulAdd(whole, hn::Set(d, -2.12194440e-4F), r);
  FloatVector p = hn::Set(d, 1.9875691500e-4F);
  p = hn::MulAdd(p, r, hn::Set(d, 1.3981999507e-3F));
  p = hn::MulAdd(p, r, hn::Set(d, 8.3334519073e-3F));
  p = hn::MulAdd(p, r, hn::Set(d, 4.1665795894e-2F));
  p = hn::MulAdd(p, r, hn::Set(d, 1.6666665459e-1F));
  p = hn::MulAdd(p, r, hn::Set(d, 5.0000001201e-1F));
  const FloatVector value = hn::Add(hn::MulAdd(hn::Mul(r, r), p, r), hn::Set(d, 1.0F));
  const hn::Vec<Integers> half = hn::ShiftRight<1>(n);
  const FloatVector scaled = hn::Mul(hn::Mul(value, power_of_two(half)), power_of_two(hn::Sub(n, half)));
  return hn::IfThenElse(hn::IsNaN(x), x, scaled);
}

}  // namespace HWY_NAMESPACE
}  // namespace touchstone::cpu
HWY_AFTER_NAMESPACE();

#endif  // toggle
