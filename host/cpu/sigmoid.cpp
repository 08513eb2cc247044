// SPDX-License-Identifier: Apache-2.0
//
// The sigmoid 1 / (1 + exp(-x)) and its gradient s (1 - s) g from the stored output s. With e = exp(-|x|) in (0, 1] the
// value is 1 / (1 + e) for x >= 0 and e / (1 + e) below: no overflow, no cancellation, and a true division. A NaN stays
// a NaN. The largest error is said, and tested, in tests/cpu_sigmoid_test.cpp.
#include "touchstone/sigmoid.h"

#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/cpu/sigmoid.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "host/cpu/exponential-inl.h"
#include "host/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace touchstone::cpu {
namespace HWY_NAMESPACE {
namespace {

HWY_INLINE FloatVector sigmoid_of(FloatVector x) {
  const Floats d;
  const FloatVector one = hn::Set(d, 1.0F);
  const FloatVector e = exp_of_negative(hn::Neg(hn::Abs(x)));
  const FloatVector numerator = hn::IfThenElse(hn::Lt(x, hn::Zero(d)), e, one);
  return hn::Div(numerator, hn::Add(one, e));
}

HWY_INLINE FloatVector gradient_of(FloatVector grad_output, FloatVector s) {
  return hn::Mul(hn::Mul(grad_output, s), hn::Sub(hn::Set(Floats(), 1.0F), s));
}

void sigmoid_forward_kernel(std::int64_t count, const float* input, float* output) {
  const Floats d;
  const std::int64_t lanes = float_lanes();
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    hn::StoreU(sigmoid_of(hn::LoadU(d, input + i)), d, output + i);
  }
  if (i < count) {
    store_first(sigmoid_of(load_first(input + i, count - i)), output + i, count - i);
  }
}

void sigmoid_backward_kernel(std::int64_t count, const float* grad_output, const float* output, float* grad_input) {
  const Floats d;
  const std::int64_t lanes = float_lanes();
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    hn::StoreU(gradient_of(hn::LoadU(d, grad_output + i), hn::LoadU(d, output + i)), d, grad_input + i);
  }
  if (i < count) {
    const std::int64_t rest = count - i;
    store_first(gradient_of(load_first(grad_output + i, rest), load_first(output + i, rest)), grad_input + i, rest);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace touchstone::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace touchstone::cpu {

namespace {
HWY_EXPORT(sigmoid_forward_kernel);
HWY_EXPORT(sigmoid_backward_kernel);
}  // namespace

void sigmoid_forward(std::int64_t count, const float* input, float* output) {
  HWY_DYNAMIC_DISPATCH(sigmoid_forward_kernel)(count, input, output);
}

void sigmoid_backward(std::int64_t count, const float* grad_output, const float* output, float* grad_input) {
  HWY_DYNAMIC_DISPATCH(sigmoid_backward_kernel)(count, grad_output, output, grad_input);
}

}  // namespace touchstone::cpu

#endif  // HWY_ONCE
