// SPDX-License-Identifier: Apache-2.0
//
// The sigmoid and its gradient, element by element: how, sigmoid-inl.h says. The largest error is said, and tested, in
// tests/cpu_sigmoid_test.cpp.
#include "touchstone/sigmoid.h"

#include <cstdint>
#include <utility>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/cpu/sigmoid.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "host/cpu/sigmoid-inl.h"
#include "host/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace touchstone::cpu {
namespace HWY_NAMESPACE {
namespace {

void sigmoid_forward_kernel(std::int64_t count, const float* input, float* output) {
  const std::int64_t whole = sigmoids_of_whole_vectors(input, output, count);
  if (whole < count) {
    FloatVector last[] = {load_first(input + whole, count - whole)};
    take_sigmoids(last, std::index_sequence<0>());
    store_first(last[0], output + whole, count - whole);
  }
}

void sigmoid_backward_kernel(std::int64_t count, const float* grad_output, const float* output, float* grad_input) {
  const Floats d;
  const std::int64_t lanes = float_lanes();
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    hn::StoreU(sigmoid_gradient(hn::LoadU(d, grad_output + i), hn::LoadU(d, output + i)), d, grad_input + i);
  }
  if (i < count) {
    const std::int64_t rest = count - i;
    store_first(sigmoid_gradient(load_first(grad_output + i, rest), load_first(output + i, rest)), grad_input + i,
                rest);
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
