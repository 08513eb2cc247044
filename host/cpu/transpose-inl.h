// SPDX-License-Identifier: Apache-2.0
//
// Transposes a matrix of floats. Included once per instruction set.
#if defined(TOUCHSTONE_HOST_CPU_TRANSPOSE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TOUCHSTONE_HOST_CPU_TRANSPOSE_INL_H_
#undef TOUCHSTONE_HOST_CPU_TRANSPOSE_INL_H_
#else
#define TOUCHSTONE_HOST_CPU_TRANSPOSE_INL_H_
#endif

#include <cstdint>

#include <hwy/highway.h>

#include "host/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace touchstone::cpu {
namespace HWY_NAMESPACE {

/// to[x][y] = from[y][x] for a block of 4 by 4.
HWY_INLINE void transpose_block(const float* from, std::int64_t from_pitch, float* to, std::int64_t to_pitch) {
#if HWY_TARGET == HWY_SCALAR
  for (std::int64_t y = 0; y < 4; ++y) {
    for (std::int64_t x = 0; x < 4; ++x) {
      to[x * to_pitch + y] = from[y * from_pitch + x];
    }
  }
#else
  const hn::Full128<float> d;
  const auto row0 = hn::LoadU(d, from);
  const auto row1 = hn::LoadU(d, from + from_pitch);
  const auto row2 = hn::LoadU(d, from + 2 * from_pitch);
  const auto row3 = hn::LoadU(d, from + 3 * from_pitch);
  const auto left01 = hn::InterleaveLower(d, row0, row1);
  const auto left23 = hn::InterleaveLower(d, row2, row3);
  const auto right01 = hn::InterleaveUpper(d, row0, row1);
  const auto right23 = hn::InterleaveUpper(d, row2, row3);
  hn::StoreU(hn::ConcatLowerLower(d, left23, left01), d, to);
  hn::StoreU(hn::ConcatUpperUpper(d, left23, left01), d, to + to_pitch);
  hn::StoreU(hn::ConcatLowerLower(d, right23, right01), d, to + 2 * to_pitch);
  hn::StoreU(hn::ConcatUpperUpper(d, right23, right01), d, to + 3 * to_pitch);
#endif
}

/// to[x][y] = from[y][x] for 0 <= y < rows, 0 <= x < columns, both without gaps.
HWY_INLINE void transpose(const float* from, std::int64_t rows, std::int64_t columns, float* to) {
  if (rows == 1 || columns == 1) {
    copy_floats(from, to, rows * columns);
    return;
  }
  const std::int64_t whole_rows = rows / 4 * 4;
  const std::int64_t whole_columns = columns / 4 * 4;
  for (std::int64_t y = 0; y < whole_rows; y += 4) {
    for (std::int64_t x = 0; x < whole_columns; x += 4) {
      transpose_block(from + y * columns + x, columns, to + x * rows + y, rows);
    }
  }
  for (std::int64_t y = 0; y < rows; ++y) {
    for (std::int64_t x = y < whole_rows ? whole_columns : 0; x < columns; ++x) {
      to[x * rows + y] = from[y * columns + x];
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace touchstone::cpu
HWY_AFTER_NAMESPACE();

#endif  // toggle
