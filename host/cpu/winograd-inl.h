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

// Coefficients in pairs: where two neighbouring columns differ in the sign of some rows alone, these rows want the
// difference of the two inputs and the others the sum; where two neighbouring rows differ in the sign of some columns
// alone, they are sum and difference of what the others and these columns contribute. Both spare half the products.

template <std::size_t rows, std::size_t columns>
using Coefficients = std::array<std::array<float, columns>, rows>;

template <std::size_t rows, std::size_t columns>
constexpr Coefficients<columns, rows> transposed(const Coefficients<rows, columns>& matrix) {
  Coefficients<columns, rows> result{};
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < columns; ++j) {
      result[j][i] = matrix[i][j];
    }
  }
  return result;
}

/// Whether two rows differ in the sign of some columns alone.
template <std::size_t columns>
constexpr bool is_pair(const std::array<float, columns>& first, const std::array<float, columns>& second) {
  for (std::size_t j = 0; j < columns; ++j) {
    if (first[j] != second[j] && first[j] != -second[j]) {
      return false;
    }
  }
  return first != second;
}

/// Where a row makes a pair with the next; no row belongs to two.
template <std::size_t rows, std::size_t columns>
constexpr std::array<bool, rows> find_pairs(const Coefficients<rows, columns>& matrix) {
  std::array<bool, rows> pairs{};
  for (std::size_t i = 0; i + 1 < rows; ++i) {
    pairs[i] = !(i > 0 && pairs[i - 1]) && is_pair(matrix[i], matrix[i + 1]);
  }
  return pairs;
}

/// The matrix with what the rows of a pair have in common in the first of them, and the rest of it in the second.
template <std::size_t rows, std::size_t columns>
constexpr Coefficients<rows, columns> split_pairs(Coefficients<rows, columns> matrix) {
  const std::array<bool, rows> pairs = find_pairs(matrix);
  for (std::size_t i = 0; i + 1 < rows; ++i) {
    if (!pairs[i]) {
      continue;
    }
    for (std::size_t j = 0; j < columns; ++j) {
      float& first = matrix[i][j];
      float& second = matrix[i + 1][j];
      second = first == second ? 0 : first;
      first -= second;
    }
  }
  return matrix;
}

/// How a matrix of coefficients is applied: sums and differences of inputs, a matrix of fewer coefficients, sums and
/// differences of outputs.
template <const auto& matrix>
struct PairedCoefficients {
  static constexpr auto columns = find_pairs(transposed(matrix));
  static constexpr auto of_inputs = transposed(split_pairs(transposed(matrix)));
  static constexpr auto rows = find_pairs(of_inputs);
  static constexpr auto coefficients = split_pairs(of_inputs);
};

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

/// Sum and difference in the places of a vector and the next, where they are a pair.
template <bool pair>
HWY_INLINE void add_pair([[maybe_unused]] FloatVector* values) {
  if constexpr (pair) {
    const FloatVector first = values[0];
    values[0] = hn::Add(first, values[1]);
    values[1] = hn::Sub(first, values[1]);
  }
}

template <const auto& pairs, std::size_t... index>
HWY_INLINE void add_pairs(FloatVector* values, std::index_sequence<index...> /*values*/) {
  (add_pair<pairs[index]>(values + index), ...);
}

template <const auto& matrix, std::size_t... row>
HWY_INLINE void transform_paired(FloatVector* values, FloatVector* results, std::index_sequence<row...> rows) {
  using Paired = PairedCoefficients<matrix>;
  constexpr auto columns = std::make_index_sequence<matrix[0].size()>();
  add_pairs<Paired::columns>(values, columns);
  ((results[row] = transformed_row<Paired::coefficients, row>(values, columns)), ...);
  add_pairs<Paired::rows>(results, rows);
}

/// results[row] = sum over columns of matrix[row][column] * values[column]. Leaves anything in `values`.
template <const auto& matrix>
HWY_INLINE void transform(FloatVector (&values)[matrix[0].size()], FloatVector (&results)[matrix.size()]) {
  transform_paired<matrix>(values, results, std::make_index_sequence<matrix.size()>());
}

template <std::size_t... row>
HWY_INLINE void store_rows(const FloatVector (&values)[sizeof...(row)], float* to, std::int64_t pitch,
                           std::index_sequence<row...> /*rows*/) {
  (hn::Store(values[row], Floats(), to + static_cast<std::int64_t>(row) * pitch), ...);
}

template <const auto& matrix, class RowAt, std::size_t... column>
HWY_INLINE void transform_columns(RowAt row_at, float* to, std::int64_t pitch,
                                  std::index_sequence<column...> /*columns*/) {
  FloatVector values[] = {hn::LoadU(Floats(), row_at(static_cast<std::int64_t>(column)))...};
  FloatVector results[matrix.size()];
  transform<matrix>(values, results);
  store_rows(results, to, pitch, std::make_index_sequence<matrix.size()>());
}

/// The same for one vector of each row of floats, row i from row_at(i) on, to rows that are `pitch` apart.
template <const auto& matrix, class RowAt>
HWY_INLINE void transform_rows(RowAt row_at, float* to, std::int64_t pitch) {
  transform_columns<matrix>(row_at, to, pitch, std::make_index_sequence<matrix[0].size()>());
}

}  // namespace HWY_NAMESPACE
}  // namespace touchstone::cpu
HWY_AFTER_NAMESPACE();

#endif  // toggle
