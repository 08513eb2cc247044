// SPDX-License-Identifier: Apache-2.0
//
// Half the squared error of each sample and its gradient, in float32 (formulas: half_squared_error.h). A row's squares
// are summed lane by lane of a vector, then the lanes, in an order that depends on the instruction set alone.
#include "touchstone/half_squared_error.h"

#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/cpu/half_squared_error.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "host/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace touchstone::cpu {
namespace HWY_NAMESPACE {
namespace {

void half_squared_error_kernel(const HalfSquaredErrorShape& shape, const float* outputs, const float* targets,
                               float scale, float* losses, float* grad_outputs) {
  const Floats d;
  const std::int64_t lanes = float_lanes();
  const FloatVector scales = hn::Set(d, scale);
  for (std::int64_t n = 0; n < shape.batch; ++n) {
    const std::int64_t row = n * shape.elements;
    FloatVector sum = hn::Zero(d);
    for (std::int64_t i = 0; i < shape.elements; i += lanes) {
      const std::int64_t count = shape.elements - i < lanes ? shape.elements - i : lanes;
      const FloatVector error = hn::Sub(load_first(outputs + row + i, count), load_first(targets + row + i, count));
      sum = hn::MulAdd(error, error, sum);
      store_first(hn::Mul(scales, error), grad_outputs + row + i, count);
    }
    losses[n] = 0.5F * sum_of_lanes(sum);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace touchstone::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace touchstone::cpu {

namespace {
HWY_EXPORT(half_squared_error_kernel);
}  // namespace

void half_squared_error(const HalfSquaredErrorShape& shape, const float* outputs, const float* targets, float scale,
                        float* losses, float* grad_outputs) {
  shape.validate();
  HWY_DYNAMIC_DISPATCH(half_squared_error_kernel)(shape, outputs, targets, scale, losses, grad_outputs);
}

}  // namespace touchstone::cpu

#endif  // HWY_ONCE
