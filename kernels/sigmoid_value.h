// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/backend.h"
#include "kernels/quotient.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// The sigmoid of one value. z = exp(-|x|) never overflows; s is 1 / (1 + z) for x >= 0 and z / (1 + z) below, where
/// 1 - s would cancel. expf (not the fast intrinsic) errs by at most 2 ulps, the sum and the quotient round once each;
/// NaN stays NaN.
__device__ __forceinline__ float sigmoid_value(float x) {
  const float z = expf(-fabsf(x));
  return quotient(x < 0.0F ? z : 1.0F, 1.0F + z);
}

/// The gradient by x, from that by s = sigmoid_value(x).
__device__ __forceinline__ float sigmoid_gradient(float gradient, float s) { return gradient * (s * (1.0F - s)); }

}  // namespace touchstone::TOUCHSTONE_BACKEND
