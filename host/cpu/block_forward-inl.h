// SPDX-License-Identifier: Apache-2.0
//
// The fused block's forward pass: convolution sums that are pooled straight out of registers, and the sigmoids of what
// is left.
//
// A tile is a few neighbouring windows of one row of windows by a vector of filters. Directly, it sums all rows and
// columns of its windows at once (row_sums-inl.h). By Winograd's method two rows of windows are a band: the tile sums
// the products of each point for one or two bands, keeps them in the first-level cache, and transforms them when all
// points are there. Included once per instruction set.
#if defined(TOUCHSTONE_HOST_CPU_BLOCK_FORWARD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TOUCHSTONE_HOST_CPU_BLOCK_FORWARD_INL_H_
#undef TOUCHSTONE_HOST_CPU_BLOCK_FORWARD_INL_H_
#else
#define TOUCHSTONE_HOST_CPU_BLOCK_FORWARD_INL_H_
#endif

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <hwy/highway.h>

#include "host/cpu/block_filters-inl.h"
#include "host/cpu/channels_last.h"
#include "host/cpu/permutations-inl.h"
#include "host/cpu/row_sums-inl.h"
#include "host/cpu/sigmoid-inl.h"
#include "host/cpu/simd-inl.h"
#include "host/cpu/weighted_sums-inl.h"
#include "host/cpu/winograd-inl.h"
#include "host/cpu/winograd.h"
#include "host/cpu/workspace.h"

HWY_BEFORE_NAMESPACE();
namespace touchstone::cpu {
namespace HWY_NAMESPACE {

using Positions = hn::Rebind<std::uint8_t, Floats>;

/// Windows of a tile, the most first: with 32 registers up to 24 accumulators, with 16 up to 12.
template <std::size_t pool>
constexpr auto tile_windows() {
  if constexpr (pool == 2 && has_32_registers) {
    return std::array<std::size_t, 4>{6, 4, 2, 1};
  } else if constexpr (pool == 2) {
    return std::array<std::size_t, 3>{3, 2, 1};
  } else if constexpr (has_32_registers) {
    return std::array<std::size_t, 2>{2, 1};
  } else {
    return std::array<std::size_t, 1>{1};
  }
}

/// Where a tile's results go: those of window w of stream s to w * window_step + s * stream_step.
struct PooledOutput {
  float* values = nullptr;
  std::uint8_t* positions = nullptr;
  std::int64_t window_step = 0;
  std::int64_t stream_step = 0;
  std::int64_t streams = 0;  // those that are wanted
  std::int64_t filters = 0;  // those that a vector has
};

/// The largest of a window's sums, the first of equals, and its position. sums[a * columns + b].
template <std::size_t pool, std::size_t columns, std::size_t... later>
HWY_INLINE FloatVector pool_window(const FloatVector* sums, hn::Vec<Integers>& chosen,
                                   std::index_sequence<0, later...> /*positions*/) {
  const Integers di;
  FloatVector best = sums[0];
  chosen = hn::Zero(di);
  const auto compare = [&best, &chosen, di](FloatVector sum, std::size_t position) HWY_ATTR {
    const auto greater = hn::Gt(sum, best);
    best = hn::IfThenElse(greater, sum, best);
    chosen = hn::IfThenElse(hn::RebindMask(di, greater), hn::Set(di, static_cast<std::int32_t>(position)), chosen);
  };
  (compare(sums[later / pool * columns + later % pool], later), ...);
  return best;
}

/// Stores the first `count` values and positions.
HWY_INLINE void store_pooled(FloatVector values, hn::Vec<Integers> positions, std::int64_t count, float* to,
                             std::uint8_t* positions_to) {
  const Positions d;
  if (count == float_lanes()) {
    hn::StoreU(values, Floats(), to);
    hn::StoreU(hn::DemoteTo(d, positions), d, positions_to);
    return;
  }
  store_first(values, to, count);
  HWY_ALIGN std::uint8_t lanes[hn::MaxLanes(d)];
  hn::Store(hn::DemoteTo(d, positions), d, lanes);
  for (std::int64_t i = 0; i < count; ++i) {
    positions_to[i] = lanes[i];
  }
}

/// Stores one or two neighbouring windows of one stream, whose filters are in the lower and upper half of the vectors.
HWY_INLINE void store_halves(const PooledOutput& output, std::int64_t place, FloatVector values,
                             hn::Vec<Integers> chosen, std::int64_t windows) {
  const std::int64_t filters = output.filters;
  if (filters == 8) {  // the second window's filters follow the first's, as they are to be stored
    store_pooled(values, chosen, windows * filters, output.values + place, output.positions + place);
    return;
  }
  store_pooled(values, chosen, filters, output.values + place, output.positions + place);
  if (windows == 2) {
    store_pooled(upper_half(Floats(), values), upper_half(Integers(), chosen), filters,
                 output.values + place + output.window_step, output.positions + place + output.window_step);
  }
}

/// A window's values and positions, both streams.
struct PooledWindow {
  FloatVector values;
  hn::Vec<Integers> positions;
};

/// Stores one or two neighbouring windows of two streams.
HWY_INLINE void store_streams(const PooledOutput& output, std::int64_t place, const PooledWindow& first,
                              const PooledWindow& second, std::int64_t windows) {
  store_halves(output, place, stream_of<0>(Floats(), first.values, second.values),
               stream_of<0>(Integers(), first.positions, second.positions), windows);
  if (output.streams == 2) {
    store_halves(output, place + output.stream_step, stream_of<1>(Floats(), first.values, second.values),
                 stream_of<1>(Integers(), first.positions, second.positions), windows);
  }
}

/// Stores window `window` or, of two streams, every second window and the next.
template <std::size_t streams, std::size_t window, std::size_t windows>
HWY_INLINE void store_window(const PooledOutput& output, const PooledWindow (&pooled)[windows]) {
  const std::int64_t place = static_cast<std::int64_t>(window) * output.window_step;
  if constexpr (streams == 1) {
    store_pooled(pooled[window].values, pooled[window].positions, output.filters, output.values + place,
                 output.positions + place);
  } else if constexpr (window % 2 == 0) {
    constexpr std::size_t second = std::min(window + 1, windows - 1);
    store_streams(output, place, pooled[window], pooled[second], static_cast<std::int64_t>(1 + second - window));
  }
}

/// Pools one window's sums, sums[a * columns + b].
template <std::size_t pool, std::size_t columns>
HWY_INLINE PooledWindow finish_window(const FloatVector* sums) {
  PooledWindow window;
  window.values = pool_window<pool, columns>(sums, window.positions, std::make_index_sequence<pool * pool>());
  return window;
}

/// Pools a tile's sums [pool][windows * pool] and stores values and positions.
template <std::size_t streams, std::size_t pool, std::size_t... window>
HWY_INLINE void store_tile_windows(const PooledOutput& output, const FloatVector* sums,
                                   std::index_sequence<window...> /*windows*/) {
  const PooledWindow pooled[] = {finish_window<pool, sizeof...(window) * pool>(sums + window * pool)...};
  (store_window<streams, window>(output, pooled), ...);
}

template <std::size_t... index>
HWY_INLINE void fill_sums(FloatVector value, FloatVector (&sums)[sizeof...(index)],
                          std::index_sequence<index...> /*accumulators*/) {
  ((sums[index] = value), ...);
}

using DirectTile = void (*)(const RowSums&, const float* bias, const PooledOutput&);

template <std::size_t streams, std::size_t pool, std::size_t taps, std::size_t windows, bool one_channel>
void direct_tile(const RowSums& problem, const float* bias, const PooledOutput& output) {
  FloatVector sums[pool * pool * windows];
  fill_sums(hn::Load(Floats(), bias), sums, std::make_index_sequence<pool * pool * windows>());
  add_row_sums<streams, taps, pool, pool * windows, one_channel>(problem, sums);
  store_tile_windows<streams, pool>(output, sums, std::make_index_sequence<windows>());
}

/// Sums of one point of some bands go to `sums` [bands][columns][lanes].
using PointTile = void (*)(const RowSums&, float* sums);

/// Bands of a point tile at most.
constexpr std::int64_t most_bands = 2;

template <std::size_t taps, std::size_t bands, std::size_t windows>
void point_tile(const RowSums& problem, float* to) {
  constexpr std::size_t size = bands * 2 * windows;
  FloatVector sums[size];
  fill_sums(hn::Zero(Floats()), sums, std::make_index_sequence<size>());
  add_row_sums<1, taps, bands, 2 * windows, false>(problem, sums);
  store_rows(sums, to, float_lanes(), std::make_index_sequence<size>());
}

/// The tile functions for the numbers of windows of tile_windows().
template <std::size_t streams, std::size_t pool, std::size_t taps, bool one_channel, std::size_t... size>
constexpr auto direct_tiles(std::index_sequence<size...> /*sizes*/) {
  return std::array<DirectTile, sizeof...(size)>{
      &direct_tile<streams, pool, taps, tile_windows<pool>()[size], one_channel>...};
}
template <std::size_t taps, std::size_t... size>
constexpr auto point_tiles(std::index_sequence<size...> /*sizes*/) {
  return std::array<std::array<PointTile, sizeof...(size)>, most_bands>{
      {{{&point_tile<taps, 1, tile_windows<2>()[size]>...}}, {{&point_tile<taps, 2, tile_windows<2>()[size]>...}}}};
}

template <std::size_t pool>
using TileSizes = std::make_index_sequence<tile_windows<pool>().size()>;

template <std::size_t streams, std::size_t pool, bool one_channel>
auto direct_tiles_for(std::int64_t taps) {
  return taps == 5   ? direct_tiles<streams, pool, 5, one_channel>(TileSizes<pool>())
         : taps == 3 ? direct_tiles<streams, pool, 3, one_channel>(TileSizes<pool>())
                     : direct_tiles<streams, pool, 1, one_channel>(TileSizes<pool>());
}

inline auto point_tiles_for(std::int64_t taps) {
  return taps == 5   ? point_tiles<5>(TileSizes<2>())
         : taps == 3 ? point_tiles<3>(TileSizes<2>())
                     : point_tiles<1>(TileSizes<2>());
}

/// Calls function(first window, index into tile_windows()) for the tiles of a row of windows.
template <std::size_t pool, class Function>
HWY_INLINE void for_each_tile(std::int64_t windows, Function function) {
  constexpr auto sizes = tile_windows<pool>();
  std::int64_t window = 0;
  for (std::size_t size = 0; size < sizes.size(); ++size) {
    for (; window + static_cast<std::int64_t>(sizes[size]) <= windows;
         window += static_cast<std::int64_t>(sizes[size])) {
      function(window, size);
    }
  }
}

/// What one sample's forward pass reads and writes.
struct ForwardSample {
  const float* image = nullptr;
  const float* prepared = nullptr;
  float* output = nullptr;
  std::uint8_t* positions = nullptr;
};

/// Where a sample's results go: of the windows from `window` of row `row` on, for the vector of filters from `filter`
/// on.
class OutputPlaces {
 public:
  OutputPlaces(const Conv2dMaxpoolSigmoidShape& shape, const ForwardSample& sample, std::int64_t streams)
      : layout_(output_image(shape)), values_(sample.output), positions_(sample.positions), streams_(streams) {}

  /// Rows of windows, and windows of each.
  [[nodiscard]] std::int64_t rows() const { return layout_.height; }
  [[nodiscard]] std::int64_t windows() const { return layout_.width; }

  [[nodiscard]] HWY_INLINE PooledOutput at(std::int64_t row, std::int64_t window, std::int64_t filter) const {
    const std::int64_t pitch = layout_.pitch();
    const std::int64_t place = row * pitch + window * layout_.channels + filter;
    return {.values = values_ + place,
            .positions = positions_ + place,
            .window_step = layout_.channels,
            .stream_step = pitch,
            .streams = std::min(streams_, layout_.height - row),
            .filters = std::min(float_lanes(), layout_.channels - filter)};
  }

 private:
  ChannelsLast layout_;
  float* values_;
  std::uint8_t* positions_;
  std::int64_t streams_;
};

/// to[y][2 x] = image[y][x] and to[y][2 x + 1] = image[y + rows][x]; rows below the image repeat its last.
inline void interleave_rows(const ChannelsLast& layout, const float* image, std::int64_t rows, float* to) {
  const Floats d;
  const std::int64_t lanes = float_lanes();
  for (std::int64_t y = 0; y < layout.height; ++y) {
    const float* first = image + y * layout.pitch();
    const float* second = image + std::min(y + rows, layout.height - 1) * layout.pitch();
    float* row = to + 2 * y * layout.pitch();
    for (std::int64_t x = 0; x < layout.pitch(); x += lanes) {
      store_in_turn(hn::LoadU(d, first + x), hn::LoadU(d, second + x), row + 2 * x);
    }
  }
}

template <std::size_t streams, std::size_t pool>
void forward_directly(const Conv2dMaxpoolSigmoidShape& shape, const ForwardSample& sample, Workspace& workspace) {
  const Conv2dShape& conv2d = shape.conv2d;
  const ChannelsLast layout = input_image(shape);
  const ForwardFilters filters(shape);
  constexpr auto count = static_cast<std::int64_t>(streams);
  const std::int64_t pitch = count * layout.pitch();
  const std::int64_t taps = taps_at_once(conv2d.kernel_w);
  const auto tiles =
      conv2d.channels == 1 ? direct_tiles_for<streams, pool, true>(taps) : direct_tiles_for<streams, pool, false>(taps);
  const OutputPlaces places(shape, sample, count);
  const float* source = sample.image;
  if constexpr (streams == 2) {
    auto* pairs = workspace.allocate<float>(2 * (layout.floats() + line_floats));
    interleave_rows(layout, sample.image, shape.pool, pairs);
    source = pairs;
  }
  for (std::int64_t k = 0; k < conv2d.filters; k += float_lanes()) {
    for (std::int64_t i = 0; i < places.rows(); i += count) {
      for_each_tile<pool>(places.windows(), [&](std::int64_t window, std::size_t size) HWY_ATTR {
        const RowSums problem{.source = source + i * shape.pool * pitch + window * shape.pool * conv2d.channels * count,
                              .row_pitch = pitch,
                              .tap_pitch = pitch,
                              .pixel = conv2d.channels * count,
                              .tap_rows = conv2d.kernel_h,
                              .tap_groups = conv2d.kernel_w / taps,
                              .channels = conv2d.channels,
                              .weights = sample.prepared + filters.biases + k / float_lanes() * filters.vector_floats};
        tiles[size](problem, sample.prepared + k, places.at(i, window, k));
      });
    }
  }
}

/// Transforms the rows that a band reads, from row `first` on: to[point] rows, `to_pitch` apart. Rows below the image
/// repeat its last.
template <class Transform>
HWY_INLINE void transform_band(const ChannelsLast& layout, const float* image, std::int64_t first, float* to,
                               std::int64_t to_pitch) {
  const std::int64_t pitch = layout.pitch();
  for (std::int64_t x = 0; x < pitch; x += float_lanes()) {
    const float* column = image + x;
    const auto row_at = [&](std::int64_t row)
                            HWY_ATTR { return column + std::min(first + row, layout.height - 1) * pitch; };
    transform_rows<Transform::input>(row_at, to + x, to_pitch);
  }
}

/// A band's sums of one column, from those of its points, which are `point_step` apart.
template <class Transform, std::size_t... point>
HWY_INLINE void band_sums(const float* of_points, std::int64_t point_step, FloatVector (&sums)[Transform::outputs],
                          std::index_sequence<point...> /*points*/) {
  FloatVector values[] = {hn::Load(Floats(), of_points + static_cast<std::int64_t>(point) * point_step)...};
  transform<Transform::output>(values, sums);
}

/// Pools a window's sums [row][column], and stores value and position.
HWY_INLINE void finish_window_of_band(const FloatVector (&sums)[4], FloatVector bias, const PooledOutput& output,
                                      std::int64_t place) {
  const PooledWindow window = finish_window<2, 2>(sums);
  store_pooled(hn::Add(window.values, bias), window.positions, output.filters, output.values + place,
               output.positions + place);
}

/// From the points' sums of one band of a tile, [points], `point_step` apart, of `windows` windows, to the results of
/// its rows of windows; where there is no lower one, `lower` has no values.
template <class Transform>
HWY_INLINE void finish_band(const float* of_points, std::int64_t point_step, std::int64_t windows, FloatVector bias,
                            const PooledOutput& upper, const PooledOutput& lower) {
  constexpr auto points = std::make_index_sequence<Transform::points>();
  const std::int64_t lanes = float_lanes();
  for (std::int64_t w = 0; w < windows; ++w) {
    FloatVector left[Transform::outputs];
    FloatVector right[Transform::outputs];
    band_sums<Transform>(of_points, point_step, left, points);
    band_sums<Transform>(of_points + lanes, point_step, right, points);
    const std::int64_t place = w * upper.window_step;
    finish_window_of_band({left[0], right[0], left[1], right[1]}, bias, upper, place);
    if (lower.values != nullptr) {
      finish_window_of_band({left[2], right[2], left[3], right[3]}, bias, lower, place);
    }
    of_points += 2 * lanes;
  }
}

template <class Transform>
void forward_by_winograd(const Conv2dMaxpoolSigmoidShape& shape, const ForwardSample& sample, Workspace& workspace) {
  constexpr auto points = static_cast<std::int64_t>(Transform::points);
  const Conv2dShape& conv2d = shape.conv2d;
  const ChannelsLast layout = input_image(shape);
  const ForwardFilters filters(shape);
  const std::int64_t lanes = float_lanes();
  const std::int64_t taps = taps_at_once(conv2d.kernel_w);
  const auto tiles = point_tiles_for(taps);
  const OutputPlaces places(shape, sample, 1);
  const std::int64_t all_bands = (places.rows() + 1) / 2;
  auto* transformed = workspace.allocate<float>(points * most_bands * layout.pitch() + line_floats);
  HWY_ALIGN float sums[points * most_bands * 2 * tile_windows<2>()[0] * hn::MaxLanes(Floats())];
  for (std::int64_t band = 0; band < all_bands; band += most_bands) {
    const std::int64_t bands = std::min(most_bands, all_bands - band);
    const std::int64_t point_pitch = bands * layout.pitch();
    for (std::int64_t b = 0; b < bands; ++b) {
      transform_band<Transform>(layout, sample.image, (band + b) * winograd_outputs, transformed + b * layout.pitch(),
                                point_pitch);
    }
    for (std::int64_t k = 0; k < conv2d.filters; k += lanes) {
      const float* weights = sample.prepared + filters.biases + k / lanes * filters.vector_floats;
      const FloatVector bias = hn::Load(Floats(), sample.prepared + k);
      for_each_tile<2>(places.windows(), [&](std::int64_t window, std::size_t size) HWY_ATTR {
        const auto windows = static_cast<std::int64_t>(tile_windows<2>()[size]);
        const std::int64_t band_floats = 2 * windows * lanes;
        const PointTile tile = tiles[static_cast<std::size_t>(bands - 1)][size];
        for (std::int64_t point = 0; point < points; ++point) {
          tile({.source = transformed + point * point_pitch + window * 2 * conv2d.channels,
                .row_pitch = layout.pitch(),
                .tap_pitch = 0,
                .pixel = conv2d.channels,
                .tap_rows = 1,
                .tap_groups = conv2d.kernel_w / taps,
                .channels = conv2d.channels,
                .weights = weights + point * conv2d.kernel_w * conv2d.channels * lanes},
               sums + point * bands * band_floats);
        }
        for (std::int64_t b = 0; b < bands; ++b) {
          const std::int64_t row = 2 * (band + b);
          finish_band<Transform>(sums + b * band_floats, bands * band_floats, windows, bias, places.at(row, window, k),
                                 row + 1 < places.rows() ? places.at(row + 1, window, k) : PooledOutput());
        }
      });
    }
  }
}

/// The largest sum of each window, and its position.
inline void pooled_sums(const Conv2dMaxpoolSigmoidShape& shape, const ForwardSample& sample, Workspace& workspace) {
  if (uses_winograd(shape)) {
    shape.conv2d.kernel_h == 3 ? forward_by_winograd<Winograd<3>>(shape, sample, workspace)
                               : forward_by_winograd<Winograd<5>>(shape, sample, workspace);
    return;
  }
  if constexpr (hn::MaxLanes(Floats()) == 16) {
    if (streams_of(shape) == 2) {
      shape.pool == 2 ? forward_directly<2, 2>(shape, sample, workspace)
                      : forward_directly<2, 3>(shape, sample, workspace);
      return;
    }
  }
  shape.pool == 2 ? forward_directly<1, 2>(shape, sample, workspace) : forward_directly<1, 3>(shape, sample, workspace);
}

/// The sigmoids are taken when all sums are there, with what fills the rows up and what comes behind them in the last
/// vector: several vectors at a time, where each alone would be a long chain of operations.
inline void forward_sample(const Conv2dMaxpoolSigmoidShape& shape, const ForwardSample& sample, Workspace& workspace) {
  pooled_sums(shape, sample, workspace);
  sigmoids_of_whole_vectors(sample.output, sample.output, whole_lines(output_image(shape).floats()));
}

}  // namespace HWY_NAMESPACE
}  // namespace touchstone::cpu
HWY_AFTER_NAMESPACE();

#endif  // toggle
