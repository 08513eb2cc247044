// SPDX-License-Identifier: Apache-2.0
//
// The sigmoid of one vector, and its gradient. Included once per instruction set.
#if defined(TOUCHSTONE_HOST_CPU_SIGMOID_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TOUCHSTONE_HOST_CPU_SIGMOID_INL_H_
#undef TOUCHSTONE_HOST_CPU_SIGMOID_INL_H_
#else
#define TOUCHSTONE_HOST_CPU_SIGMOID_INL_H_
#endif

#include <hwy/highway.h>

#include "host/cpu/exponential-inl.h"
#include "host/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace touchstone::cpu {
namespace HWY_NAMESPACE {

/// 1 / (1 + exp(-x)). With e = exp(-|x|) in (0, 1] it is 1 / (1 + e) for x >= 0 and e / (1 + e) below: no overflow and
/// no cancellation. A NaN stays a NaN.
HWY_INLINE FloatVector sigmoid_of(FloatVector x) {
  const Floats d;
  const FloatVector one = hn::Set(d, 1.0F);
  const FloatVector e = exp_of_negative(hn::Neg(hn::Abs(x)));
  const FloatVector share = reciprocal(hn::Add(one, e));
  return hn::IfThenElse(hn::Lt(x, hn::Zero(d)), hn::Mul(e, share), share);
}

/// grad_output * s * (1 - s), from the stored output s.
HWY_INLINE FloatVector sigmoid_gradient(FloatVector grad_output, FloatVector s) {
  return hn::Mul(hn::Mul(grad_output, s), hn::Sub(hn::Set(Floats(), 1.0F), s));
}

}  // namespace HWY_NAMESPACE
}  // namespace touchstone::cpu
HWY_AFTER_NAMESPACE();

#endif  // toggle
