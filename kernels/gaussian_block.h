// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/backend.h"
#include "kernels/geometry.h"
#include "touchstone/gaussian_operations.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// The largest matrix that one block of threads works on. Larger ones are taken apart into blocks of so many rows, and
/// cuBLAS does what lies between these.
inline constexpr int gaussian_block = 128;

/// A block of forward substitution has a warp's width of columns, and so many rows at a time.
inline constexpr int substitution_rows = 8;

/// The rows of each thread that suffice for `rows` rows, among those that a kernel is compiled for.
[[nodiscard]] constexpr int rows_per_thread(int rows) {
  int share = 2;
  while (share * substitution_rows < rows) {
    share *= 2;
  }
  return share;
}
static_assert(rows_per_thread(gaussian_block) == 16);

#if defined(__CUDACC__) || defined(TOUCHSTONE_EMULATED)
/// Forward substitution by a block of 32 x substitution_rows threads, thread (column, y) with the rows y, y +
/// substitution_rows, ... of its column in registers:
///
///   x[r] = (x[r] - sum over k < r of l[r*pitch + k] x[k]) / l[r*pitch + r]   for r < rows <= SHARE * substitution_rows
///
/// Rows before `first` must be zero. `row` is shared memory for 2 * 32 doubles. The products are taken off one by one
/// in the order of k.
template <int SHARE>
__device__ __forceinline__ void substitute(int rows, int first, const double* l, int pitch, double* row,
                                           double (&x)[SHARE]) {
  const int column = static_cast<int>(threadIdx.x);
  const int y = static_cast<int>(threadIdx.y);
#pragma unroll
  for (int i = 0; i < SHARE; ++i) {
    for (int owner = 0; owner < substitution_rows; ++owner) {
      const int k = i * substitution_rows + owner;
      if (k < first || k >= rows) {
        continue;
      }
      double* const solved_row = row + k % 2 * warp_size;
      if (y == owner) {
        x[i] = x[i] / l[k * pitch + k];
        solved_row[column] = x[i];
      }
      __syncthreads();  // row k is solved; whoever still reads row k - 1 reads the other half
      const double solved = solved_row[column];
#pragma unroll
      for (int j = i; j < SHARE; ++j) {
        const int r = j * substitution_rows + y;
        if (r > k && r < rows) {
          x[j] -= l[r * pitch + k] * solved;
        }
      }
    }
  }
}
#endif

}  // namespace touchstone::TOUCHSTONE_BACKEND
