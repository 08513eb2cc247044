// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/backend.h"

namespace touchstone::TOUCHSTONE_BACKEND {
namespace detail {

/// n/d from an estimate of 1/d that is off by at most 2^-22 of it: a Newton step of the reciprocal, and a correction of
/// the quotient by its remainder, which is exact where no digit of it is below the smallest float (Markstein,
/// "Computation of elementary functions on the IBM RISC System/6000 processor", 1990).
[[nodiscard]] __device__ __forceinline__ float refine_quotient(float n, float d, float estimate) {
  const float reciprocal = fmaf(fmaf(-d, estimate, 1.0F), estimate, estimate);
  const float quotient = n * reciprocal;
  return fmaf(fmaf(-d, quotient, n), reciprocal, quotient);
}

/// 1/d; on a GPU off by at most one ulp (PTX ISA, rcp.approx.ftz.f32).
[[nodiscard]] __device__ __forceinline__ float estimate_reciprocal(float d) {
#ifdef __CUDA_ARCH__
  float estimate;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(estimate) : "f"(d));
  return estimate;
#else
  return 1.0F / d;
#endif
}

}  // namespace detail

/// n/d for 0 <= n <= d and 1 <= d <= 2^100, in a third of the instructions of a division, which looks after all floats:
/// off by at most 0.51 ulps where the quotient is 2^-100 or more, by 1.01 below. NaN stays NaN.
[[nodiscard]] __device__ __forceinline__ float quotient(float n, float d) {
  return detail::refine_quotient(n, d, detail::estimate_reciprocal(d));
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
