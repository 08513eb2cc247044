// SPDX-License-Identifier: Apache-2.0
//
// The micro-kernel of the fused block's forward pass: convolution sums that are pooled straight out of registers.
//
// Lanes run over windows. The input lies in the planes of a convolution whose stride is the pool's (Conv2dPlanes),
// where what one tap reads for one position (a, b) of all windows is consecutive. A tile is a vector of windows by a
// few filters, with an accumulator for each position and filter; each tap loads one new vector per row of the window
// and broadcasts one weight per filter. Included once per instruction set.
#if defined(TOUCHSTONE_HOST_CPU_POOLED_SUMS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TOUCHSTONE_HOST_CPU_POOLED_SUMS_INL_H_
#undef TOUCHSTONE_HOST_CPU_POOLED_SUMS_INL_H_
#else
#define TOUCHSTONE_HOST_CPU_POOLED_SUMS_INL_H_
#endif

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <hwy/highway.h>

#include "host/cpu/sigmoid-inl.h"
#include "host/cpu/simd-inl.h"
#include "host/cpu/weighted_sums-inl.h"

HWY_BEFORE_NAMESPACE();
namespace touchstone::cpu {
namespace HWY_NAMESPACE {

using Positions = hn::Rebind<std::uint8_t, Floats>;

/// The most filters of a tile. With 32 registers 4 filters by windows of 2x2 are 16 accumulators, and 6 loads feed 16
/// multiply-adds; 2 by 3x3 are 18, and 5 for 18. With 16 registers it is half as many filters.
template <std::size_t pool>
constexpr std::size_t max_pooled_filters = (pool == 2 ? 4 : 2) / (has_32_registers ? 1 : 2);

/// The first `count` positions from memory; touches no memory beyond them.
HWY_INLINE hn::Vec<Integers> load_positions(const std::uint8_t* from, std::int64_t count) {
  const Positions d;
  if (count == float_lanes()) {
    return hn::PromoteTo(Integers(), hn::LoadU(d, from));
  }
  HWY_ALIGN std::uint8_t lanes[hn::MaxLanes(d)] = {};
  for (std::int64_t i = 0; i < count; ++i) {
    lanes[i] = from[i];
  }
  return hn::PromoteTo(Integers(), hn::Load(d, lanes));
}

/// Stores the first `count` positions; touches no memory beyond them.
HWY_INLINE void store_positions(hn::Vec<Integers> positions, std::uint8_t* to, std::int64_t count) {
  const Positions d;
  if (count == float_lanes()) {
    hn::StoreU(hn::DemoteTo(d, positions), d, to);
    return;
  }
  HWY_ALIGN std::uint8_t lanes[hn::MaxLanes(d)];
  hn::Store(hn::DemoteTo(d, positions), d, lanes);
  for (std::int64_t i = 0; i < count; ++i) {
    to[i] = lanes[i];
  }
}

/// One sample of the forward pass.
struct PooledSums {
  const float* planes = nullptr;
  const std::int64_t* rows = nullptr;  // [channels][kernel_h][pool]: where the row that a tap's row reads for a begins
  std::int64_t column_step = 0;        // floats from one filter column, or b, to the next
  std::int64_t filter_rows = 0;        // channels * kernel_h
  std::int64_t kernel_w = 0;
  const float* filters = nullptr;  // [filters][filter_rows][kernel_w]
  const float* bias = nullptr;     // [filters]; nullptr for zeros
  std::int64_t filter_count = 0;
  std::int64_t windows = 0;
  float* output = nullptr;         // [filters][windows]
  std::uint8_t* argmax = nullptr;  // [filters][windows]
};

/// What one tap reads, a vector for each position (a, b) of the window, from rows[a] + b * column_step.
template <std::size_t pool>
struct WindowColumns {
  static constexpr std::size_t positions = pool * pool;
  FloatVector values[positions];

  /// Reads the column b of each row.
  HWY_INLINE void load(const float* const (&rows)[pool], std::int64_t column_step, std::size_t b) {
    for (std::size_t a = 0; a < pool; ++a) {
      values[a * pool + b] = hn::LoadU(Floats(), rows[a] + static_cast<std::int64_t>(b) * column_step);
    }
  }

  /// Goes on to the next tap of the row: its columns are those of this one, the first left out.
  HWY_INLINE void advance() {
    for (std::size_t i = 0; i + 1 < positions; ++i) {
      values[i] = values[i + 1];
    }
  }
};

/// Adds one tap to all sums.
template <std::size_t positions, std::size_t... index>
HWY_INLINE void add_pooled_tap(const FloatVector (&values)[positions], const float* weights, std::int64_t filter_step,
                               FloatVector (&sums)[sizeof...(index)], std::index_sequence<index...> /*accumulators*/) {
  ((sums[index] = hn::MulAdd(hn::Set(Floats(), weights[static_cast<std::int64_t>(index / positions) * filter_step]),
                             values[index % positions], sums[index])),
   ...);
}

/// The largest of a filter's sums, the first of equals, and its position: index lists again.
template <std::size_t filter, std::size_t sums_count, std::size_t first, std::size_t... later>
HWY_INLINE FloatVector pool_sums(const FloatVector (&sums)[sums_count], hn::Vec<Integers>& chosen,
                                 std::index_sequence<first, later...> /*positions*/) {
  constexpr std::size_t begin = filter * (1 + sizeof...(later));
  const Integers di;
  FloatVector best = sums[begin];
  chosen = hn::Zero(di);
  const auto compare = [&best, &chosen, di](FloatVector sum, std::size_t position) HWY_ATTR {
    const auto greater = hn::Gt(sum, best);
    best = hn::IfThenElse(greater, sum, best);
    chosen = hn::IfThenElse(hn::RebindMask(di, greater), hn::Set(di, static_cast<std::int32_t>(position)), chosen);
  };
  (compare(sums[begin + later], later), ...);
  return best;
}

/// Pools a tile's sums and stores the sigmoids and positions.
template <std::size_t positions, std::size_t sums_count, std::size_t... filter>
HWY_INLINE void store_pooled(const PooledSums& problem, std::int64_t first_filter, std::int64_t window,
                             const FloatVector (&sums)[sums_count], std::index_sequence<filter...> /*filters*/) {
  const std::int64_t count = std::min(float_lanes(), problem.windows - window);
  const auto store = [&](FloatVector best, hn::Vec<Integers> chosen, std::size_t f) HWY_ATTR {
    const std::int64_t place = (first_filter + static_cast<std::int64_t>(f)) * problem.windows + window;
    store_first(sigmoid_of(best), problem.output + place, count);
    store_positions(chosen, problem.argmax + place, count);
  };
  hn::Vec<Integers> chosen[sizeof...(filter)];
  const FloatVector best[sizeof...(filter)] = {
      pool_sums<filter>(sums, chosen[filter], std::make_index_sequence<positions>())...};
  (store(best[filter], chosen[filter], filter), ...);
}

template <std::size_t pool, std::size_t... index>
HWY_INLINE void run_pooled_tile(const PooledSums& problem, std::int64_t filter, std::int64_t window,
                                std::index_sequence<index...> accumulators) {
  constexpr std::size_t positions = pool * pool;
  constexpr std::size_t filters = sizeof...(index) / positions;
  const std::int64_t terms = problem.filter_rows * problem.kernel_w;
  const float* bias = problem.bias == nullptr ? nullptr : problem.bias + filter;
  FloatVector sums[sizeof...(index)] = {hn::Set(Floats(), bias == nullptr ? 0.0F : bias[index / positions])...};
  const float* weights = problem.filters + filter * terms;
  const std::int64_t* starts = problem.rows;
  for (std::int64_t r = 0; r < problem.filter_rows; ++r, starts += pool) {
    const float* rows[pool];
    for (std::size_t a = 0; a < pool; ++a) {
      rows[a] = problem.planes + starts[a] + window;
    }
    WindowColumns<pool> columns;
    for (std::size_t b = 0; b + 1 < pool; ++b) {
      columns.load(rows, problem.column_step, b);
    }
    for (std::int64_t q = 0; q < problem.kernel_w; ++q) {
      columns.load(rows, problem.column_step, pool - 1);
      add_pooled_tap(columns.values, weights++, terms, sums, accumulators);
      columns.advance();
      for (const float*& row : rows) {
        row += problem.column_step;
      }
    }
  }
  store_pooled<positions>(problem, filter, window, sums, std::make_index_sequence<filters>());
}

template <std::size_t pool, std::size_t filters>
void pooled_tile(const PooledSums& problem, std::int64_t filter, std::int64_t window) {
  run_pooled_tile<pool>(problem, filter, window, std::make_index_sequence<filters * pool * pool>());
}

/// The tile function for each number of filters, less one.
template <std::size_t pool, std::size_t... filter>
constexpr auto pooled_tile_table(std::index_sequence<filter...> /*filters*/) {
  return std::array<void (*)(const PooledSums&, std::int64_t, std::int64_t), sizeof...(filter)>{
      &pooled_tile<pool, filter + 1>...};
}

/// All filters and windows of one sample.
template <std::size_t pool>
void pooled_sums(const PooledSums& problem) {
  static constexpr auto table = pooled_tile_table<pool>(std::make_index_sequence<max_pooled_filters<pool>>());
  const EvenParts blocks(problem.filter_count, static_cast<std::int64_t>(table.size()));
  for (std::int64_t block = 0; block < blocks.parts; ++block) {
    const auto tile = table[static_cast<std::size_t>(blocks.size(block) - 1)];
    for (std::int64_t window = 0; window < problem.windows; window += float_lanes()) {
      tile(problem, blocks.begin(block), window);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace touchstone::cpu
HWY_AFTER_NAMESPACE();

#endif  // toggle
