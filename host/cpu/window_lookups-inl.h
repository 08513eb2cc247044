// SPDX-License-Identifier: Apache-2.0
//
// The fused block's gradient by the filters where the image has one channel and a vector 16 lanes, which are then
// filters: what each filter meets at its own argmax is looked up in the few pixels that a window reads.
//
// For each window, or pair of neighbouring windows where there are 8 filters, 8 columns of the image lie one below the
// other, so that a vector holds two rows of them. Row p and column q of the taps meet the pixel (a + p, b + q) of the
// window: lane a*8 + b + q of those of row p and the next. Every filter has all its taps in registers over all
// windows. Included once per instruction set.
#if defined(TOUCHSTONE_HOST_CPU_WINDOW_LOOKUPS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TOUCHSTONE_HOST_CPU_WINDOW_LOOKUPS_INL_H_
#undef TOUCHSTONE_HOST_CPU_WINDOW_LOOKUPS_INL_H_
#else
#define TOUCHSTONE_HOST_CPU_WINDOW_LOOKUPS_INL_H_
#endif

#include <cstddef>
#include <cstdint>
#include <utility>

#include <hwy/highway.h>

#include "host/cpu/channels_last.h"
#include "host/cpu/permutations-inl.h"
#include "host/cpu/simd-inl.h"
#include "touchstone/conv2d_maxpool_sigmoid.h"

HWY_BEFORE_NAMESPACE();
namespace touchstone::cpu {
namespace HWY_NAMESPACE {

/// Columns that lie one below the other.
constexpr std::int64_t lookup_columns = 8;

/// Windows of a vector of lanes.
constexpr std::int64_t windows_of_lookup(const Conv2dMaxpoolSigmoidShape& shape) {
  return shape.conv2d.filters == 8 ? 2 : 1;
}

/// Whether lookups take the gradient of this shape.
constexpr bool looks_up_windows(const Conv2dMaxpoolSigmoidShape& shape) {
  const Conv2dShape& conv2d = shape.conv2d;
  const std::int64_t windows = windows_of_lookup(shape);
  const bool square = conv2d.kernel_h == conv2d.kernel_w && (conv2d.kernel_h == 3 || conv2d.kernel_h == 5);
  const bool whole = windows == 2 ? shape.out_w() % 2 == 0 : conv2d.filters % 16 == 0;
  return TOUCHSTONE_LOOKS_UP_IN_TWO && conv2d.channels == 1 && square && whole &&
         windows * shape.pool + conv2d.kernel_w - 1 <= lookup_columns;
}

#if TOUCHSTONE_LOOKS_UP_IN_TWO

/// Lane index[i] of the `pool` rows of columns from `from` on: of 16 lanes or of 32.
template <std::size_t pool>
HWY_INLINE FloatVector look_up(const float* from, hn::Vec<Integers> index) {
  const Floats d;
  const FloatVector rows = hn::LoadU(d, from);
  if constexpr (pool == 2) {
    return hn::TableLookupLanes(rows, hn::IndicesFromVec(d, index));
  } else {
    return look_up_in_two(rows, hn::LoadU(d, from + float_lanes()), index);
  }
}

template <std::size_t pool, std::size_t size, std::size_t... p>
HWY_INLINE void add_lookup_column(const float* columns, FloatVector delta, hn::Vec<Integers> index, FloatVector* sums,
                                  std::index_sequence<p...> /*rows of taps*/) {
  ((sums[p * size] = hn::MulAdd(delta, look_up<pool>(columns + static_cast<std::int64_t>(p) * lookup_columns, index),
                                sums[p * size])),
   ...);
}

template <std::size_t pool, std::size_t... q>
HWY_INLINE void add_lookups(const float* columns, FloatVector delta, hn::Vec<Integers> index, FloatVector* sums,
                            std::index_sequence<q...> taps) {
  (add_lookup_column<pool, sizeof...(q)>(
       columns, delta, hn::Add(index, hn::Set(Integers(), static_cast<std::int32_t>(q))), sums + q, taps),
   ...);
}

/// What one call reads: the images' columns [batch][groups of windows][height][lookup_columns], and of a vector of
/// filters the deltas and indices [batch][windows][filters].
struct WindowLookups {
  const float* columns = nullptr;
  const float* deltas = nullptr;
  const std::int32_t* indices = nullptr;
};

template <std::size_t pool, std::size_t size, std::size_t... index>
HWY_INLINE void run_lookups(const Conv2dMaxpoolSigmoidShape& shape, const WindowLookups& problem, float* gradients,
                            std::index_sequence<index...> /*accumulators*/) {
  using Taps = std::make_index_sequence<size>;
  const Floats d;
  const std::int64_t lanes = float_lanes();
  const std::int64_t filters = shape.conv2d.filters;
  const std::int64_t windows = windows_of_lookup(shape);
  const std::int64_t group = shape.conv2d.height * lookup_columns;
  const std::int64_t rows = shape.out_h();
  const std::int64_t row = shape.out_w();
  FloatVector sums[] = {hn::Load(d, gradients + static_cast<std::int64_t>(index) * lanes)...};
  std::int64_t place = 0;
  for (std::int64_t n = 0; n < shape.conv2d.batch; ++n) {
    const float* image = problem.columns + n * (row / windows * group);
    for (std::int64_t i = 0; i < rows; ++i) {
      const float* columns = image + i * static_cast<std::int64_t>(pool) * lookup_columns;
      for (std::int64_t j = 0; j < row; j += windows) {
        add_lookups<pool>(columns, hn::LoadU(d, problem.deltas + place), hn::LoadU(Integers(), problem.indices + place),
                          sums, Taps());
        columns += group;
        place += windows * filters;
      }
    }
  }
  (hn::Store(sums[index], d, gradients + static_cast<std::int64_t>(index) * lanes), ...);
}

template <std::size_t pool, std::size_t size>
void window_lookups(const Conv2dMaxpoolSigmoidShape& shape, const WindowLookups& problem, float* gradients) {
  run_lookups<pool, size>(shape, problem, gradients, std::make_index_sequence<size * size>());
}

#endif

/// Adds to gradients [vector of filters][taps][lanes], for looks_up_windows(shape).
inline void add_window_lookups([[maybe_unused]] const Conv2dMaxpoolSigmoidShape& shape,
                               [[maybe_unused]] const float* columns, [[maybe_unused]] const float* deltas,
                               [[maybe_unused]] const std::int32_t* indices, [[maybe_unused]] float* gradients) {
#if TOUCHSTONE_LOOKS_UP_IN_TWO
  for (std::int64_t k = 0; k < shape.conv2d.filters; k += float_lanes()) {
    const WindowLookups problem{.columns = columns, .deltas = deltas + k, .indices = indices + k};
    if (shape.conv2d.kernel_w == 5) {
      shape.pool == 2 ? window_lookups<2, 5>(shape, problem, gradients)
                      : window_lookups<3, 5>(shape, problem, gradients);
    } else {
      shape.pool == 2 ? window_lookups<2, 3>(shape, problem, gradients)
                      : window_lookups<3, 3>(shape, problem, gradients);
    }
    gradients += shape.conv2d.taps() * float_lanes();
  }
#endif
}

}  // namespace HWY_NAMESPACE
}  // namespace touchstone::cpu
HWY_AFTER_NAMESPACE();

#endif  // toggle
