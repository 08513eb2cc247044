// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/backend.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// z = exp(-|x|) never overflows; s is 1 / (1 + z) for x >= 0 and z / (1 + z) below, where 1 - s would cancel. expf
/// (not the fast intrinsic) errs by at most 2 ulps, the sum and the quotient round once each; NaN stays NaN.
[[nodiscard]] __device__ __forceinline__ float sigmoid(float x) {
  const float z = expf(-fabsf(x));
  return (x < 0.0F ? z : 1.0F) / (1.0F + z);
}

/// From the gradient by a sigmoid's output `s` to the gradient by its input.
[[nodiscard]] __device__ __forceinline__ float sigmoid_gradient(float gradient, float s) {
  return gradient * (s * (1.0F - s));
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
