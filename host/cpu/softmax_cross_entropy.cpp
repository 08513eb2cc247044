// SPDX-License-Identifier: Apache-2.0
//
// Softmax, cross-entropy and their fused gradient, in float32, row by row: with m the row's largest logit
// e_i = exp(z_i - m), loss = ln(sum of e) - (z_label - m), gradient scale * (e_i / sum of e - y_i). The logarithm, one
// a row, is taken in double precision. A NaN or +infinity in a row makes its loss and gradients NaN.
#include "touchstone/softmax_cross_entropy.h"

#include <cmath>
#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/cpu/softmax_cross_entropy.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "host/cpu/exponential-inl.h"
#include "host/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace touchstone::cpu {
namespace HWY_NAMESPACE {
namespace {

float largest(const float* row, std::int64_t classes) {
  float m = row[0];
  for (std::int64_t i = 1; i < classes; ++i) {
    m = row[i] > m ? row[i] : m;
  }
  return m;
}

/// exponentials[i] = exp(row[i] - m); their sum.
float exponentials_of(const float* row, std::int64_t classes, float m, float* exponentials) {
  const Floats d;
  const std::int64_t lanes = float_lanes();
  const FloatVector shift = hn::Set(d, m);
  FloatVector sum = hn::Zero(d);
  for (std::int64_t i = 0; i < classes; i += lanes) {
    const std::int64_t count = classes - i < lanes ? classes - i : lanes;
    const FloatVector e = exp_of_negative(hn::Sub(load_first(row + i, count), shift));
    store_first(e, exponentials + i, count);
    sum = hn::Add(sum, keep_first(e, count));
  }
  return sum_of_lanes(sum);
}

void softmax_cross_entropy_kernel(const SoftmaxCrossEntropyShape& shape, const float* logits,
                                  const std::uint8_t* labels, float scale, float* losses, float* grad_logits) {
  for (std::int64_t n = 0; n < shape.batch; ++n) {
    const float* row = logits + n * shape.classes;
    float* gradient = grad_logits + n * shape.classes;
    const std::int64_t label = labels[n];
    const float m = largest(row, shape.classes);
    const float sum = exponentials_of(row, shape.classes, m, gradient);
    losses[n] = static_cast<float>(std::log(static_cast<double>(sum)) - (static_cast<double>(row[label]) - m));
    const float label_gradient = scale * (gradient[label] / sum - 1.0F);
    for (std::int64_t i = 0; i < shape.classes; ++i) {
      gradient[i] = scale * (gradient[i] / sum);
    }
    gradient[label] = label_gradient;
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace touchstone::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace touchstone::cpu {

namespace {
HWY_EXPORT(softmax_cross_entropy_kernel);
}  // namespace

void softmax_cross_entropy(const SoftmaxCrossEntropyShape& shape, const float* logits, const std::uint8_t* labels,
                           float scale, float* losses, float* grad_logits) {
  shape.validate();
  HWY_DYNAMIC_DISPATCH(softmax_cross_entropy_kernel)(shape, logits, labels, scale, losses, grad_logits);
}

}  // namespace touchstone::cpu

#endif  // HWY_ONCE
