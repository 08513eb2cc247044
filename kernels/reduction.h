// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/backend.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// sums[column] = sum over row of values[row,column], for values [rows,columns] in row-major order. The order of the
/// sum is fixed by the sizes: each of 8 lanes adds every eighth row, then the lanes are added in a tree.
void sum_rows(std::int64_t rows, std::int64_t columns, const float* values, float* sums, cudaStream_t stream);

#if defined(__CUDACC__) || defined(TOUCHSTONE_EMULATED)
/// The sum of `value` over a warp, by halving, in lane 0. All lanes take part.
__device__ __forceinline__ float warp_sum(float value) {
#pragma unroll
  for (int offset = warp_size / 2; offset > 0; offset /= 2) {
    value += __shfl_down_sync(0xFFFFFFFFU, value, static_cast<unsigned>(offset));
  }
  return value;
}
#endif

}  // namespace touchstone::TOUCHSTONE_BACKEND
