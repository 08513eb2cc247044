// SPDX-License-Identifier: Apache-2.0
//
// The micro-kernel of the convolution's gradient by the filters and of the dense layer's forward pass: sums of dot
// products of rows,
//
//   output[r][c] = sum over b and x of left[b][r][x] * right[b][c][x]
//
// A tile of a few rows of either side has one accumulator vector per output for all b and x; lanes are added up once
// at the end. Included once per instruction set.
#if defined(TOUCHSTONE_HOST_CPU_DOT_PRODUCTS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TOUCHSTONE_HOST_CPU_DOT_PRODUCTS_INL_H_
#undef TOUCHSTONE_HOST_CPU_DOT_PRODUCTS_INL_H_
#else
#define TOUCHSTONE_HOST_CPU_DOT_PRODUCTS_INL_H_
#endif

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <hwy/highway.h>

#include "host/cpu/simd-inl.h"
#include "host/cpu/weighted_sums-inl.h"

HWY_BEFORE_NAMESPACE();
namespace touchstone::cpu {
namespace HWY_NAMESPACE {

/// The largest tile: 24 accumulators of 32 registers, fed by 10 loads; 12 of 16, fed by 7.
constexpr std::int64_t max_dot_rows = has_32_registers ? 4 : 3;
constexpr std::int64_t max_dot_columns = has_32_registers ? 6 : 4;

/// One call of the micro-kernel: left[b][r][x] = left[b*left_batch + r*left_pitch + x] and
/// right[b][c][x] = right[b*right_batch + right_offsets[c] + x].
struct DotProducts {
  const float* left = nullptr;
  std::int64_t left_pitch = 0;
  std::int64_t left_batch = 0;
  const float* right = nullptr;
  const std::int64_t* right_offsets = nullptr;  // [columns]
  std::int64_t right_batch = 0;
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t length = 0;  // of a row: 0 <= x < length
  std::int64_t batch = 0;
  float* output = nullptr;
  std::int64_t output_pitch = 0;
  const std::int64_t* output_columns = nullptr;  // where in its row column c of the output stands
};

/// Adds one vector of products to each accumulator of a tile.
template <std::size_t columns, std::size_t... index>
HWY_INLINE void add_products(const FloatVector* left, const FloatVector* right, FloatVector (&sums)[sizeof...(index)],
                             std::index_sequence<index...> /*accumulators*/) {
  ((sums[index] = hn::MulAdd(left[index / columns], right[index % columns], sums[index])), ...);
}

template <std::size_t... row, std::size_t... column, std::size_t... index>
HWY_INLINE void add_dot_products(const DotProducts& problem, std::int64_t first_row, std::int64_t first_column,
                                 std::int64_t b, FloatVector (&sums)[sizeof...(index)],
                                 std::index_sequence<row...> /*rows*/, std::index_sequence<column...> /*columns*/,
                                 std::index_sequence<index...> accumulators) {
  constexpr std::size_t columns = sizeof...(column);
  const Floats d;
  const std::int64_t lanes = float_lanes();
  const float* left = problem.left + b * problem.left_batch + first_row * problem.left_pitch;
  const float* right = problem.right + b * problem.right_batch;
  const float* const left_rows[] = {(left + static_cast<std::int64_t>(row) * problem.left_pitch)...};
  const float* const right_rows[] = {
      (right + problem.right_offsets[first_column + static_cast<std::int64_t>(column)])...};
  std::int64_t x = 0;
  for (; x + lanes <= problem.length; x += lanes) {
    const FloatVector left_values[] = {hn::LoadU(d, left_rows[row] + x)...};
    const FloatVector right_values[] = {hn::LoadU(d, right_rows[column] + x)...};
    add_products<columns>(left_values, right_values, sums, accumulators);
  }
  if (x < problem.length) {
    const std::int64_t rest = problem.length - x;
    const FloatVector left_values[] = {load_first(left_rows[row] + x, rest)...};
    const FloatVector right_values[] = {load_first(right_rows[column] + x, rest)...};
    add_products<columns>(left_values, right_values, sums, accumulators);
  }
}

template <std::size_t rows, std::size_t columns, std::size_t... index>
HWY_INLINE void run_dot_tile(const DotProducts& problem, std::int64_t first_row, std::int64_t first_column,
                             std::index_sequence<index...> accumulators) {
  FloatVector sums[rows * columns] = {((void)index, hn::Zero(Floats()))...};
  for (std::int64_t b = 0; b < problem.batch; ++b) {
    add_dot_products(problem, first_row, first_column, b, sums, std::make_index_sequence<rows>(),
                     std::make_index_sequence<columns>(), accumulators);
  }
  float* output = problem.output + first_row * problem.output_pitch;
  const std::int64_t* output_columns = problem.output_columns + first_column;
  ((output[static_cast<std::int64_t>(index / columns) * problem.output_pitch + output_columns[index % columns]] =
        sum_of_lanes(sums[index])),
   ...);
}

template <std::size_t rows, std::size_t columns>
void dot_tile(const DotProducts& problem, std::int64_t first_row, std::int64_t first_column) {
  run_dot_tile<rows, columns>(problem, first_row, first_column, std::make_index_sequence<rows * columns>());
}

using DotTileFunction = void (*)(const DotProducts&, std::int64_t, std::int64_t);
using DotTileRow = std::array<DotTileFunction, max_dot_columns>;

/// The tile function for each size: [rows - 1][columns - 1]; the lists hold these numbers.
template <std::size_t rows, std::size_t... column>
constexpr DotTileRow dot_tile_row(std::index_sequence<column...> /*columns*/) {
  return {{&dot_tile<rows, column + 1>...}};
}
template <std::size_t... row>
constexpr std::array<DotTileRow, max_dot_rows> dot_tile_table(std::index_sequence<row...> /*rows*/) {
  return {{dot_tile_row<row + 1>(std::make_index_sequence<max_dot_columns>())...}};
}

/// Computes all rows and columns.
inline void dot_products(const DotProducts& problem) {
  static constexpr auto table = dot_tile_table(std::make_index_sequence<max_dot_rows>());
  const EvenParts row_blocks(problem.rows, max_dot_rows);
  const EvenParts column_blocks(problem.columns, max_dot_columns);
  for (std::int64_t i = 0; i < row_blocks.parts; ++i) {
    for (std::int64_t j = 0; j < column_blocks.parts; ++j) {
      table[static_cast<std::size_t>(row_blocks.size(i) - 1)][static_cast<std::size_t>(column_blocks.size(j) - 1)](
          problem, row_blocks.begin(i), column_blocks.begin(j));
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace touchstone::cpu
HWY_AFTER_NAMESPACE();

#endif  // toggle
