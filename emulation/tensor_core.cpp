// SPDX-License-Identifier: Apache-2.0
#include "emulation/tensor_core.h"

#include <bit>
#include <cmath>
#include <cstdint>

#include <fmt/format.h>

#include "emulation/defect.h"

namespace touchstone::emulation {
namespace {

constexpr unsigned dropped_bits = 13;  // of a float's 24-bit significand
constexpr std::uint32_t dropped_mask = (1U << dropped_bits) - 1;

constexpr int tile_rows = 16;
constexpr int tile_columns = 8;
constexpr int terms = 8;

/// The lane that has a term of a row or column: of rows it has two, eight apart.
std::size_t lane_of(int line, int term) { return static_cast<std::size_t>(line % 8 * 4 + term % 4); }

double checked(float factor) {
  if (!std::isnan(factor) && (std::bit_cast<std::uint32_t>(factor) & dropped_mask) != 0) {
    throw Defect{runtime::cudaErrorLaunchFailure,
                 fmt::format("multiply_tf32: a factor is {:.9g}, which is no TF32 number", factor)};
  }
  return factor;
}

}  // namespace

float round_to_tf32(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (!std::isfinite(value)) {
    return value;
  }
  return std::bit_cast<float>((bits + (1U << (dropped_bits - 1))) & ~dropped_mask);
}

void multiply(const TensorFactors& lanes) {
  double rows[tile_rows][terms];
  double columns[tile_columns][terms];
  for (int term = 0; term < terms; ++term) {
    for (int row = 0; row < tile_rows; ++row) {
      rows[row][term] = checked(lanes[lane_of(row, term)]->rows[row / 8 + term / 4 * 2]);
    }
    for (int column = 0; column < tile_columns; ++column) {
      columns[column][term] = checked(lanes[lane_of(column, term)]->columns[term / 4]);
    }
  }
  for (int row = 0; row < tile_rows; ++row) {
    for (int column = 0; column < tile_columns; ++column) {
      float& sum = lanes[lane_of(row, column / 2)]->sums[row / 8 * 2 + column % 2];
      double exact = sum;
      for (int term = 0; term < terms; ++term) {
        exact += rows[row][term] * columns[column][term];
      }
      sum = static_cast<float>(exact);
    }
  }
}

}  // namespace touchstone::emulation
