// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/backend.h"
#include "kernels/vector_access.h"

#ifdef TOUCHSTONE_EMULATED
#include "emulation/kernel.h"
#endif

/// Sums of products in single precision by tensor cores, which multiply TF32 numbers (an 11-bit significand) and add in
/// float. A float x is taken as two of them,
///
///   high = tf32(x),  low = tf32(x - high),  |x - high - low| <= 2^-22 |x|,
///
/// and x y as high_x high_y + (high_x low_y + low_x high_y): what is left out is at most 2^-22 |x y|. Each of the three
/// products is exact, so with both factors' parts one is off by less than 13 * 2^-24 of its magnitude. Tensor cores may
/// cut off where others round, which counts twice for each term that is added (Fasi, Higham, Mikaitis and Pranesh,
/// "Numerical behavior of NVIDIA tensor cores", 2021). The large products have a sum of their own, so that the small
/// ones, whose errors are 2^-11 times as large, are added to it once, in float: a sum of n terms is off by less than
/// gamma(2n + 16) times the sum of their magnitudes, where plain sums are by gamma(n).
///
/// Overflow: a float within 2^-12 of the largest has an infinite high part. Subnormal parts may be taken as zeros.
namespace touchstone::TOUCHSTONE_BACKEND {

/// Whether GPUs of a compute capability (75, 80, ...) take products of TF32 numbers so much faster by tensor cores than
/// those of floats otherwise that three of them pay, 8 times as fast, and have the shared memory to keep both parts of
/// all factors. GPUs for displays are not faster at it; the A100 (80) is, but has no room for the networks that ship.
[[nodiscard]] constexpr bool has_fast_tensor_cores(int capability) { return capability >= 90 && capability < 110; }

/// Whether the kernels that are compiled are for such a GPU.
#ifdef __CUDA_ARCH__
inline constexpr bool compiles_tensor_cores = has_fast_tensor_cores(__CUDA_ARCH__ / 10);
#else
inline constexpr bool compiles_tensor_cores = true;
#endif

/// The nearest TF32 number; of two the one with the larger magnitude.
[[nodiscard]] __device__ __forceinline__ float round_to_tf32(float value) {
#if defined(TOUCHSTONE_EMULATED)
  return emulation::round_to_tf32(value);
#elif defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800  // elsewhere nothing calls it
  unsigned bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(value));
  return __uint_as_float(bits);
#else
  return value;
#endif
}

/// The two parts of a float.
struct SplitFloat {
  float high;
  float low;
};
[[nodiscard]] __device__ __forceinline__ SplitFloat split(float value) {
  const float high = round_to_tf32(value);
  return {high, round_to_tf32(value - high)};
}

/// A product of matrices by a warp, of 16 rows by 8 columns with 8 terms. Which terms of a sum these are is up to the
/// caller, if both factors have the same. Lane l has of the first factor row l/4 and row l/4 + 8, term l%4 and term
/// l%4 + 4:
struct TensorRows {
  float high[4];  ///< of both rows the one term, then of both the other
  float low[4];
};
/// of the second factor the same terms of column l/4:
struct TensorColumn {
  float high[2];
  float low[2];
};
/// and of the sums columns 2(l%4) and 2(l%4) + 1 of row l/4, then of row l/4 + 8.
struct TensorSums {
  float large[4];
  float small[4];

  [[nodiscard]] __device__ __forceinline__ float operator[](int i) const { return large[i] + small[i]; }
};

/// Two neighbours as the terms of a column; their low parts are `low` floats behind them.
[[nodiscard]] __device__ __forceinline__ TensorColumn load_column(const float* high, int low) {
  const auto h = load_vector<float2>(high);
  const auto l = load_vector<float2>(high + low);
  return {{h.x, h.y}, {l.x, l.y}};
}

namespace detail {

/// sums += rows * columns, of eight TF32 terms. `rows`: of rows l/4 and l/4 + 8 term t, then of both term t + 4;
/// `columns`: of column l/4 terms t and t + 4.
__device__ __forceinline__ void multiply_tf32(float (&sums)[4], const float (&rows)[4], const float (&columns)[2]) {
#if defined(TOUCHSTONE_EMULATED)
  emulation::multiply_tf32({__builtin_FILE(), __builtin_LINE()}, sums, rows, columns);
#elif defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, "
      "%3};"
      : "+f"(sums[0]), "+f"(sums[1]), "+f"(sums[2]), "+f"(sums[3])
      : "r"(__float_as_uint(rows[0])), "r"(__float_as_uint(rows[1])), "r"(__float_as_uint(rows[2])),
        "r"(__float_as_uint(rows[3])), "r"(__float_as_uint(columns[0])), "r"(__float_as_uint(columns[1])));
#endif
}

}  // namespace detail

/// Adds the products of eight terms, by all lanes of a warp.
__device__ __forceinline__ void add_tensor_product(TensorSums& sums, const TensorRows& rows,
                                                   const TensorColumn& column) {
  detail::multiply_tf32(sums.small, rows.low, column.high);
  detail::multiply_tf32(sums.small, rows.high, column.low);
  detail::multiply_tf32(sums.large, rows.high, column.high);
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
