// SPDX-License-Identifier: Apache-2.0
//
// The transforms of Winograd's method (winograd.h), a vector of independent problems at a time. The coefficients are
// known when this is compiled: zeros are left out. Included once per instruction set.
#if defined(TOUCHSTONE_HOST_CPU_WINOGRAD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TOUCHSTONE_HOST_CPU_WINOGRAD_INL_H_
#undef TOUCHSTONE_HOST_CPU_WINOGRAD_INL_H_
#else
#define TOUCHSTONE_HOST_CPU_WINOGRAD_INL_H_
#endif

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <hwy/highway.h>

#include "host/cpu/simd-inl.h"
#include "host/cpu/winograd.h"

HWY_BEFORE_NAMESPACE();
namespace touchstone::cpu {
namespace HWY_NAMESPACE {

/// The first column of a row of coefficients that is not zero.
template <std::size_t columns>
constexpr std::size_t first_coefficient(const std::array<float, columns>& row) {
  std::size_t i = 0;
  while (row[i] == 0) {
    ++i;
  }
  return i;
}

/// sum + coefficient * value.
template <const auto& matrix, std::size_t row, std::size_t column>
HWY_INLINE void add_coefficient(const FloatVector* values, FloatVector& sum) {
  constexpr float coefficient = matrix[row][column];
  if constexpr (column > first_coefficient(matrix[row]) && coefficient == 1) {
    sum = hn::Add(sum, values[column]);
  } else if constexpr (column > first_coefficient(matrix[row]) && coefficient == -1) {
    sum = hn::Sub(sum, values[column]);
  } else if constexpr (column > first_coefficient(matrix[row]) && coefficient != 0) {
    sum = hn::MulAdd(hn::Set(Floats(), coefficient), values[column], sum);
  }
}

/// One row of a matrix of coefficients times a vector of vectors.
template <const auto& matrix, std::size_t row, std::size_t... column>
HWY_INLINE FloatVector transformed_row(const FloatVector* values, std::index_sequence<column...> /*columns*/) {
  constexpr std::size_t first = first_coefficient(matrix[row]);
  FloatVector sum = values[first];
  if constexpr (matrix[row][first] != 1) {
    sum = hn::Mul(hn::Set(Floats(), matrix[row][first]), sum);
  }
  (add_coefficient<matrix, row, column>(values, sum), ...);
  return sum;
}

template <const auto& matrix, std::size_t... row, std::size_t columns>
HWY_INLINE void store_transformed(const FloatVector (&values)[columns], float* to, std::int64_t pitch,
                                  std::index_sequence<row...> /*rows*/) {
  (hn::Store(transformed_row<matrix, row>(values, std::make_index_sequence<columns>()), Floats(),
             to + static_cast<std::int64_t>(row) * pitch),
   ...);
}

template <const auto& matrix, std::size_t... column>
HWY_INLINE void transform_columns(const float* from, std::int64_t from_pitch, float* to, std::int64_t to_pitch,
                                  std::index_sequence<column...> /*columns*/) {
  const FloatVector values[] = {hn::Load(Floats(), from + static_cast<std::int64_t>(column) * from_pitch)...};
  store_transformed<matrix>(values, to, to_pitch, std::make_index_sequence<matrix.size()>());
}

/// to[row] = sum over columns of matrix[row][column] * from[column] for one vector of each row of floats, pitch apart.
template <const auto& matrix>
HWY_INLINE void transform(const float* from, std::int64_t from_pitch, float* to, std::int64_t to_pitch) {
  transform_columns<matrix>(from, from_pitch, to, to_pitch, std::make_index_sequence<matrix[0].size()>());
}

}  // namespace HWY_NAMESPACE
}  // namespace touchstone::cpu
HWY_AFTER_NAMESPACE();

#endif  // toggle
