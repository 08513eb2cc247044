// SPDX-License-Identifier: Apache-2.0
//
// The orders in which the fused block reads its filters, and sums the gradient by them. Included once per instruction
// set.
#if defined(TOUCHSTONE_HOST_CPU_BLOCK_FILTERS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TOUCHSTONE_HOST_CPU_BLOCK_FILTERS_INL_H_
#undef TOUCHSTONE_HOST_CPU_BLOCK_FILTERS_INL_H_
#else
#define TOUCHSTONE_HOST_CPU_BLOCK_FILTERS_INL_H_
#endif

#include <algorithm>
#include <cstdint>

#include <hwy/highway.h>

#include "host/cpu/channels_last.h"
#include "host/cpu/row_sums-inl.h"
#include "host/cpu/simd-inl.h"
#include "host/cpu/transpose-inl.h"
#include "host/cpu/winograd-inl.h"
#include "host/cpu/winograd.h"
#include "host/cpu/workspace.h"

HWY_BEFORE_NAMESPACE();
namespace touchstone::cpu {
namespace HWY_NAMESPACE {

/// How many streams the forward pass has in a vector (row_sums-inl.h).
inline std::int64_t streams_of(const Conv2dMaxpoolSigmoidShape& shape) {
  return hn::MaxLanes(Floats()) == 16 && shape.conv2d.filters <= 8 && !uses_winograd(shape) ? 2 : 1;
}

/// For the forward pass: biases, and the filters a vector of them after another, each [tap_rows][groups of
/// taps][channels][taps][lanes], where `tap_rows` are the kernel's rows or their Winograd transform. Filters beyond the
/// last are zeros.
struct ForwardFilters {
  std::int64_t vector_floats = 0;  // of one vector of filters
  std::int64_t biases = 0;         // floats before the first vector

  explicit ForwardFilters(const Conv2dMaxpoolSigmoidShape& shape)
      : vector_floats(tap_rows(shape) * shape.conv2d.kernel_w * shape.conv2d.channels * float_lanes()),
        biases(whole_lines(shape.conv2d.filters)) {}
};

/// For the gradient by the input: filters with channels last, between rows and columns of zeros. Rows have pool - 1
/// columns of zeros first, and each filter pool - 1 rows; what comes behind belongs to the next. What begins a rows and
/// b columns before a filter is the filter as position (a, b) of a window needs it, over all pixels that the window
/// reads. Where a column is no whole number of lines, there is a copy for each b, so that rows begin at lines.
struct SurroundedFilters {
  bool copies = false;
  std::int64_t row_floats = 0;  // of a patch's row
  std::int64_t pitch = 0;       // floats from row to row
  std::int64_t filter = 0;      // from filter to filter
  std::int64_t copy = 0;        // from copy to copy
  std::int64_t floats = 0;
  std::int64_t first = 0;   // where the patch of position (0, 0) of the first filter begins
  std::int64_t step_a = 0;  // and how it moves
  std::int64_t step_b = 0;

  explicit SurroundedFilters(const Conv2dMaxpoolSigmoidShape& shape) {
    const Conv2dShape& conv2d = shape.conv2d;
    const std::int64_t zeros = shape.pool - 1;
    copies = conv2d.channels % line_floats != 0;
    row_floats = (conv2d.kernel_w + zeros) * conv2d.channels;
    pitch = whole_lines(row_floats);
    filter = (conv2d.kernel_h + zeros) * pitch;
    copy = whole_lines(conv2d.filters * filter + zeros * (pitch + conv2d.channels));
    floats = (copies ? shape.pool : 1) * copy;
    first = zeros * pitch + (copies ? 0 : zeros * conv2d.channels);
    step_a = -pitch;
    step_b = copies ? copy : -conv2d.channels;
  }

  /// Where row p of the taps of filter k stands in the copy for b (any, where there is but one).
  [[nodiscard]] std::int64_t row_of_taps(std::int64_t k, std::int64_t p, std::int64_t b, std::int64_t channels) const {
    return first + k * filter + p * pitch + (copies ? b * (copy + channels) : 0);
  }
};

/// Filters [taps of all channels][lanes] from [filters][taps of all channels], zeros for those beyond `count`.
inline float* filters_in_lanes(const float* filters, std::int64_t taps, std::int64_t count, Workspace& workspace) {
  const std::int64_t lanes = float_lanes();
  auto* in_lanes = workspace.allocate<float>(taps * lanes);
  if (count < lanes) {
    auto* padded = workspace.allocate<float>(taps * lanes);
    copy_floats(filters, padded, count * taps);
    fill_zero(padded + count * taps, (lanes - count) * taps);
    filters = padded;
  }
  transpose(filters, lanes, taps, in_lanes);
  return in_lanes;
}

/// Each filter twice in turn, in vectors of two streams.
inline void double_lanes(float* vectors, std::int64_t count) {
  const Floats d;
  const std::int64_t lanes = float_lanes();
  for (std::int64_t i = 0; i < count; ++i) {
    const FloatVector lower = hn::Load(d, vectors + i * lanes);
    HWY_ALIGN float values[hn::MaxLanes(d)];
    hn::Store(lower, d, values);
    for (std::int64_t lane = 0; lane < lanes; ++lane) {
      vectors[i * lanes + lane] = values[lane / 2];
    }
  }
}

/// Writes a vector of filters [channels][kernel_h][kernel_w][lanes] in the order of ForwardFilters; `transform_taps`
/// writes tap_rows vectors from kernel_h.
template <class TransformTaps>
void write_forward_filters(const Conv2dShape& conv2d, const float* in_lanes, TransformTaps transform_taps, float* to) {
  const std::int64_t lanes = float_lanes();
  const std::int64_t taps = taps_at_once(conv2d.kernel_w);
  const std::int64_t row = conv2d.kernel_w * conv2d.channels * lanes;
  for (std::int64_t c = 0; c < conv2d.channels; ++c) {
    for (std::int64_t q = 0; q < conv2d.kernel_w; ++q) {
      const float* from = in_lanes + (c * conv2d.taps() + q) * lanes;
      float* place = to + ((q / taps * conv2d.channels + c) * taps + q % taps) * lanes;
      transform_taps(from, conv2d.kernel_w * lanes, place, row);
    }
  }
}

/// The points of a column of taps, whose rows are `from_pitch` apart.
template <class Transform>
HWY_INLINE void transform_taps(const float* from, std::int64_t from_pitch, float* to, std::int64_t pitch) {
  transform_rows<Transform::filter>([&](std::int64_t row) HWY_ATTR { return from + row * from_pitch; }, to, pitch);
}

inline void prepare_forward(const Conv2dMaxpoolSigmoidShape& shape, const float* filters, const float* bias,
                            std::int64_t first, std::int64_t count, float* prepared, Workspace& workspace) {
  const Conv2dShape& conv2d = shape.conv2d;
  const ForwardFilters layout(shape);
  const std::int64_t lanes = float_lanes();
  const std::int64_t taps = conv2d.channels * conv2d.taps();
  float* in_lanes = filters_in_lanes(filters + first * taps, taps, count, workspace);
  float* biases = prepared + first;
  store_first(bias == nullptr ? hn::Zero(Floats()) : load_first(bias + first, count), biases, count);
  if (streams_of(shape) == 2) {
    double_lanes(in_lanes, taps);
    double_lanes(biases, 1);
  }
  float* to = prepared + layout.biases + first / lanes * layout.vector_floats;
  if (!uses_winograd(shape)) {
    const auto copy = [&](const float* from, std::int64_t from_pitch, float* place, std::int64_t pitch) HWY_ATTR {
      for (std::int64_t p = 0; p < conv2d.kernel_h; ++p) {
        hn::Store(hn::Load(Floats(), from + p * from_pitch), Floats(), place + p * pitch);
      }
    };
    write_forward_filters(conv2d, in_lanes, copy, to);
  } else if (conv2d.kernel_h == 3) {
    write_forward_filters(conv2d, in_lanes, transform_taps<Winograd<3>>, to);
  } else {
    write_forward_filters(conv2d, in_lanes, transform_taps<Winograd<5>>, to);
  }
}

/// Writes the taps; the zeros are in place.
inline void prepare_surrounded(const Conv2dMaxpoolSigmoidShape& shape, const float* filters, float* to,
                               Workspace& workspace) {
  const Conv2dShape& conv2d = shape.conv2d;
  const SurroundedFilters layout(shape);
  const std::int64_t row = conv2d.kernel_w * conv2d.channels;
  auto* last = workspace.allocate<float>(conv2d.taps() * conv2d.channels);
  for (std::int64_t k = 0; k < conv2d.filters; ++k) {
    transpose(filters + k * conv2d.taps() * conv2d.channels, conv2d.channels, conv2d.taps(), last);
    for (std::int64_t p = 0; p < conv2d.kernel_h; ++p) {
      for (std::int64_t b = 0; b < (layout.copies ? shape.pool : 1); ++b) {
        copy_floats(last + p * row, to + layout.row_of_taps(k, p, b, conv2d.channels), row);
      }
    }
  }
}

/// Where the surrounded filters stand among what is prepared.
inline std::int64_t surrounded_begin(const Conv2dMaxpoolSigmoidShape& shape) {
  const std::int64_t filters = whole_lines(shape.conv2d.filters);
  return filters + tap_rows(shape) * shape.conv2d.kernel_w * shape.conv2d.channels * filters;
}

inline void prepare(const Conv2dMaxpoolSigmoidShape& shape, const float* filters, const float* bias, float* prepared,
                    Workspace& workspace) {
  const Workspace::Scope scope(workspace);
  const std::int64_t count = shape.conv2d.filters;
  for (std::int64_t k = 0; k < count; k += float_lanes()) {
    prepare_forward(shape, filters, bias, k, std::min(float_lanes(), count - k), prepared, workspace);
  }
  prepare_surrounded(shape, filters, prepared + surrounded_begin(shape), workspace);
}

}  // namespace HWY_NAMESPACE
}  // namespace touchstone::cpu
HWY_AFTER_NAMESPACE();

#endif  // toggle
