// SPDX-License-Identifier: Apache-2.0
//
// The micro-kernel of the operations on Gaussians: sums of products of doubles,
//
//   target[r][c] += or -= sum over t of left[r*left_row + t*left_step] * right[t*right_step + c]
//
// for a few rows and a tile of two vectors of columns, kept in registers for all t. Each product is fused with its
// addition. Included once per instruction set.
#if defined(TOUCHSTONE_HOST_CPU_DOUBLE_PRODUCTS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TOUCHSTONE_HOST_CPU_DOUBLE_PRODUCTS_INL_H_
#undef TOUCHSTONE_HOST_CPU_DOUBLE_PRODUCTS_INL_H_
#else
#define TOUCHSTONE_HOST_CPU_DOUBLE_PRODUCTS_INL_H_
#endif

#include <cstddef>
#include <cstdint>

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace touchstone::cpu {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Whole vectors of double precision.
using Doubles = hn::ScalableTag<double>;
using DoubleVector = hn::Vec<Doubles>;

HWY_INLINE std::int64_t double_lanes() { return static_cast<std::int64_t>(hn::Lanes(Doubles())); }

/// The columns of a tile, and the rows that are worked on at once: eight sums, fed by two loads and four broadcasts.
HWY_INLINE std::int64_t double_tile() { return 2 * double_lanes(); }
constexpr std::int64_t double_rows = 4;

/// The factors of the sums and how many products there are.
struct DoubleProducts {
  const double* left = nullptr;
  std::int64_t left_row = 0;
  std::int64_t left_step = 0;
  const double* right = nullptr;
  std::int64_t right_step = 0;
  std::int64_t count = 0;
};

/// Adds the sums to (or takes them from) `rows` rows of one tile.
template <bool subtract, std::int64_t rows>
HWY_INLINE void add_double_products(const DoubleProducts& p, double* target, std::int64_t pitch) {
  const Doubles d;
  const std::int64_t lanes = double_lanes();
  DoubleVector low[rows];
  DoubleVector high[rows];
  for (std::int64_t r = 0; r < rows; ++r) {
    low[r] = high[r] = hn::Zero(d);
  }
  for (std::int64_t t = 0; t < p.count; ++t) {
    const double* const right = p.right + t * p.right_step;
    const DoubleVector right_low = hn::LoadU(d, right);
    const DoubleVector right_high = hn::LoadU(d, right + lanes);
    for (std::int64_t r = 0; r < rows; ++r) {
      const DoubleVector factor = hn::Set(d, p.left[r * p.left_row + t * p.left_step]);
      low[r] = hn::MulAdd(factor, right_low, low[r]);
      high[r] = hn::MulAdd(factor, right_high, high[r]);
    }
  }
  for (std::int64_t r = 0; r < rows; ++r) {
    double* const to = target + r * pitch;
    const DoubleVector old_low = hn::LoadU(d, to);
    const DoubleVector old_high = hn::LoadU(d, to + lanes);
    hn::StoreU(subtract ? hn::Sub(old_low, low[r]) : hn::Add(old_low, low[r]), d, to);
    hn::StoreU(subtract ? hn::Sub(old_high, high[r]) : hn::Add(old_high, high[r]), d, to + lanes);
  }
}

/// target = (target - sum over t of left[t] * tile[t]) / divisor for one row of a tile whose rows follow each other.
HWY_INLINE void finish_row(const double* left, const double* tile, std::int64_t count, double divisor, double* target) {
  const Doubles d;
  const std::int64_t lanes = double_lanes();
  DoubleVector low = hn::Load(d, target);
  DoubleVector high = hn::Load(d, target + lanes);
  for (std::int64_t t = 0; t < count; ++t) {
    const DoubleVector factor = hn::Set(d, left[t]);
    low = hn::NegMulAdd(factor, hn::Load(d, tile + t * 2 * lanes), low);
    high = hn::NegMulAdd(factor, hn::Load(d, tile + t * 2 * lanes + lanes), high);
  }
  hn::Store(hn::Div(low, hn::Set(d, divisor)), d, target);
  hn::Store(hn::Div(high, hn::Set(d, divisor)), d, target + lanes);
}

/// Forward substitution with L [K,K] on the rows first .. K-1 of a tile [K, double_tile()] of right sides, in place;
/// the rows before `first` are zero.
HWY_INLINE void substitute(std::int64_t dimensions, const double* factor, std::int64_t first, double* tile) {
  const std::int64_t width = double_tile();
  std::int64_t row = first;
  while (row < dimensions) {
    const double* const left = factor + row * dimensions;
    double* const target = tile + row * width;
    const DoubleProducts above = {.left = left + first,
                                  .left_row = dimensions,
                                  .left_step = 1,
                                  .right = tile + first * width,
                                  .right_step = width,
                                  .count = row - first};
    const bool several = row + double_rows <= dimensions;
    if (several) {
      add_double_products<true, double_rows>(above, target, width);
    } else {
      add_double_products<true, 1>(above, target, width);
    }
    const std::int64_t rows = several ? double_rows : 1;
    for (std::int64_t r = 0; r < rows; ++r) {
      const double* const in_block = left + r * dimensions + row;
      finish_row(in_block, target, r, in_block[r], target + r * width);
    }
    row += rows;
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace touchstone::cpu
HWY_AFTER_NAMESPACE();

#endif  // toggle
