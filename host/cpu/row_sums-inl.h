// SPDX-License-Identifier: Apache-2.0
//
// The micro-kernel of the fused block's forward pass: sums of one-dimensional convolutions along rows of an image with
// channels last,
//
//   sums[r][x] = sum over p, q and c of weights[p][q][c] * source[(r*row_pitch + p*tap_pitch) + (x + q)*pixel + c]
//
// for a tile of a few rows r by a few columns x. Lanes are filters: each weight is a vector, each pixel a broadcast. A
// group of taps of a row stays in registers while the pixels pass by, each of which meets all of them: 12 columns by 5
// taps are 16 broadcasts and 5 loads for 60 multiply-adds.
//
// Where at most half as many filters as lanes are to be computed, a vector holds two streams: even lanes a filter's sum
// for one image, odd lanes the same filter's for another, whose pixels lie between those of the first (`source` then
// has pairs). Included once per instruction set.
#if defined(TOUCHSTONE_HOST_CPU_ROW_SUMS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TOUCHSTONE_HOST_CPU_ROW_SUMS_INL_H_
#undef TOUCHSTONE_HOST_CPU_ROW_SUMS_INL_H_
#else
#define TOUCHSTONE_HOST_CPU_ROW_SUMS_INL_H_
#endif

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include <hwy/highway.h>

#include "host/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace touchstone::cpu {
namespace HWY_NAMESPACE {

/// How many taps of a row stay in registers: a divisor of the kernel's width.
inline std::int64_t taps_at_once(std::int64_t kernel_w) {
  for (const std::int64_t taps : {5, 3}) {
    if (kernel_w % taps == 0) {
      return taps;
    }
  }
  return 1;
}

/// One tile. Weights lie as [tap_rows][kernel_w / taps][channels][taps][lanes] for groups of `taps` taps.
struct RowSums {
  const float* source = nullptr;
  std::int64_t row_pitch = 0;   // floats from one row of the tile to the next
  std::int64_t tap_pitch = 0;   // floats from one row of taps to the next
  std::int64_t pixel = 0;       // floats from pixel to pixel
  std::int64_t tap_rows = 0;    // rows of taps
  std::int64_t tap_groups = 0;  // groups of taps in each
  std::int64_t channels = 0;
  const float* weights = nullptr;
};

/// A pixel of each of `streams` streams in turn.
template <std::size_t streams>
HWY_INLINE FloatVector broadcast_pixel(const float* from) {
  const Floats d;
  if constexpr (streams == 1) {
    return hn::Set(d, *from);
  } else {
    static_assert(streams == 2);
    const hn::Repartition<double, Floats> pairs;
    double pair = 0;
    std::memcpy(&pair, from, sizeof(pair));
    return hn::BitCast(d, hn::Set(pairs, pair));
  }
}

/// Of two vectors of two streams each, the lanes of one stream: of `first` in the lower half, of `second` in the upper.
template <std::size_t stream, class D>
HWY_INLINE hn::Vec<D> stream_of(D d, hn::Vec<D> first, [[maybe_unused]] hn::Vec<D> second) {
#if HWY_TARGET == HWY_SCALAR
  (void)d;
  return first;  // one lane holds one stream
#else
  if constexpr (stream == 0) {
    return hn::ConcatEven(d, second, first);
  } else {
    return hn::ConcatOdd(d, second, first);
  }
#endif
}

/// The upper half of a vector in both halves.
template <class D>
HWY_INLINE hn::Vec<D> upper_half(D d, hn::Vec<D> vector) {
#if HWY_TARGET == HWY_SCALAR
  (void)d;
  return vector;
#else
  return hn::ConcatUpperUpper(d, vector, vector);
#endif
}

/// Adds what pixel x of a row contributes to the row's sums: column x - q by tap q.
template <std::size_t x, std::size_t columns, std::size_t... tap>
HWY_INLINE void add_pixel(FloatVector pixel, const FloatVector (&weights)[sizeof...(tap)], FloatVector* sums,
                          std::index_sequence<tap...> /*taps*/) {
  ((x >= tap && x - tap < columns ? (void)(sums[x - tap] = hn::MulAdd(pixel, weights[tap], sums[x - tap])) : (void)0),
   ...);
}

template <std::size_t streams, std::size_t columns, class Pixel, std::size_t... x, std::size_t... tap>
HWY_INLINE void add_row(const float* source, Pixel pixel, const FloatVector (&weights)[sizeof...(tap)],
                        FloatVector* sums, std::index_sequence<x...> /*pixels*/, std::index_sequence<tap...> taps) {
  (add_pixel<x, columns>(broadcast_pixel<streams>(source + static_cast<std::int64_t>(x) * pixel), weights, sums, taps),
   ...);
}

/// One group of taps of one channel, for all rows.
template <std::size_t streams, std::size_t columns, class Pixel, std::size_t... row, std::size_t... tap>
HWY_INLINE void add_taps(const float* source, const float* taps_of_channel, std::int64_t row_pitch, Pixel pixel,
                         FloatVector* sums, std::index_sequence<row...> /*rows*/, std::index_sequence<tap...> taps) {
  const FloatVector weights[] = {
      hn::Load(Floats(), taps_of_channel + static_cast<std::int64_t>(tap) * float_lanes())...};
  (add_row<streams, columns>(source + static_cast<std::int64_t>(row) * row_pitch, pixel, weights, sums + row * columns,
                             std::make_index_sequence<columns + sizeof...(tap) - 1>(), taps),
   ...);
}

/// Adds everything to sums[row * columns + x]. `channels` and `pixel` are those of the problem, or constants. Groups of
/// taps come last: from one to the next, compilers would keep the pixels that both read, for which there is no room.
template <std::size_t streams, std::size_t taps, std::size_t rows, std::size_t columns, class Channels, class Pixel>
HWY_INLINE void add_row_sums(const RowSums& problem, Channels channels, Pixel pixel,
                             FloatVector (&sums)[rows * columns]) {
  for (std::int64_t g = 0; g < problem.tap_groups; ++g) {
    for (std::int64_t p = 0; p < problem.tap_rows; ++p) {
      const float* source = problem.source + p * problem.tap_pitch + g * static_cast<std::int64_t>(taps) * pixel;
      const float* weights =
          problem.weights + (p * problem.tap_groups + g) * channels * static_cast<std::int64_t>(taps) * float_lanes();
      for (std::int64_t c = 0; c < channels; ++c) {
        add_taps<streams, columns>(source, weights, problem.row_pitch, pixel, sums, std::make_index_sequence<rows>(),
                                   std::make_index_sequence<taps>());
        source += streams;
        weights += static_cast<std::int64_t>(taps) * float_lanes();
      }
    }
  }
}

/// The same for all channels there are. That there is but one may be known beforehand: then pixels follow each other,
/// and their addresses need not be computed.
template <std::size_t streams, std::size_t taps, std::size_t rows, std::size_t columns, bool one_channel>
HWY_INLINE void add_row_sums(const RowSums& problem, FloatVector (&sums)[rows * columns]) {
  if constexpr (one_channel) {
    using Pixel = std::integral_constant<std::int64_t, static_cast<std::int64_t>(streams)>;
    add_row_sums<streams, taps, rows, columns>(problem, std::integral_constant<std::int64_t, 1>(), Pixel(), sums);
  } else {
    add_row_sums<streams, taps, rows, columns>(problem, problem.channels, problem.pixel, sums);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace touchstone::cpu
HWY_AFTER_NAMESPACE();

#endif  // toggle
