// SPDX-License-Identifier: Apache-2.0
//
// How the fused block's gradient by the filters reads the images: arranged so that the patch which a filter meets at a
// position is a few runs of consecutive floats. Included once per instruction set.
#if defined(TOUCHSTONE_HOST_CPU_BLOCK_PATCHES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TOUCHSTONE_HOST_CPU_BLOCK_PATCHES_INL_H_
#undef TOUCHSTONE_HOST_CPU_BLOCK_PATCHES_INL_H_
#else
#define TOUCHSTONE_HOST_CPU_BLOCK_PATCHES_INL_H_
#endif

#include <algorithm>
#include <cstdint>

#include <hwy/highway.h>

#include "host/cpu/channels_last.h"
#include "host/cpu/simd-inl.h"
#include "host/cpu/weighted_patches-inl.h"
#include "host/cpu/window_lookups-inl.h"
#include "host/cpu/workspace.h"

HWY_BEFORE_NAMESPACE();
namespace touchstone::cpu {
namespace HWY_NAMESPACE {

/// What of the first-level cache (32 KiB and more) one operand of a gradient may fill, in floats.
constexpr std::int64_t cached_floats = std::int64_t{6} * 1024;

enum class PatchArrangement : std::uint8_t {
  rows,     ///< the image itself: a run is a row of taps
  copies,   ///< the image `pool` times, so that for each b the runs of all windows begin at lines
  columns,  ///< [x][y][column_floats] of what a row of taps reads at (y, x): where that is little, one run has all rows
  lookups,  ///< columns of each window, or two (window_lookups-inl.h)
};

struct PatchLayout {
  static constexpr std::int64_t column_floats = 8;

  PatchArrangement arrangement;
  std::int64_t runs = 0;         // of a patch
  std::int64_t run_floats = 0;   // of each
  std::int64_t pitch = 0;        // floats from run to run in the image
  std::int64_t row_of_taps = 0;  // floats from one row of taps to the next in a sum of patches
  std::int64_t step_a = 0;       // floats that the patch moves with the position (a, b) in the window
  std::int64_t step_b = 0;
  std::int64_t window = 0;      // from window to window of a row
  std::int64_t window_row = 0;  // from row to row of windows
  std::int64_t image = 0;       // from sample to sample
  std::int64_t samples = 1;     // that are arranged, and worked on, at once: as many as the cache holds

  explicit PatchLayout(const Conv2dMaxpoolSigmoidShape& shape) {
    const Conv2dShape& conv2d = shape.conv2d;
    if (looks_up_windows(shape)) {
      arrangement = PatchArrangement::lookups;
      runs = 1;
      run_floats = conv2d.taps() * windows_of_lookup(shape);
      step_a = lookup_columns;
      step_b = 1;
      image = shape.out_w() / windows_of_lookup(shape) * conv2d.height * lookup_columns;
      samples = cached_samples(image);
      return;
    }
    const ChannelsLast layout = input_image(shape);
    const bool in_columns = conv2d.channels * conv2d.kernel_w <= column_floats;
    const bool in_copies = conv2d.channels % line_floats != 0 && shape.pool * conv2d.channels % line_floats == 0;
    arrangement = in_columns  ? PatchArrangement::columns
                  : in_copies ? PatchArrangement::copies
                              : PatchArrangement::rows;
    runs = in_columns ? 1 : conv2d.kernel_h;
    run_floats = in_columns ? conv2d.kernel_h * column_floats : conv2d.kernel_w * conv2d.channels;
    pitch = in_columns ? column_floats : layout.pitch();
    row_of_taps = in_columns ? column_floats : whole_vectors(run_floats);
    const std::int64_t step_x = in_columns ? layout.height * column_floats : conv2d.channels;
    const std::int64_t copy = copy_floats_of(layout);
    step_a = pitch;
    step_b = arrangement == PatchArrangement::copies ? copy + whole_lines(conv2d.channels) : step_x;
    window = shape.pool * step_x;
    window_row = shape.pool * pitch;
    image = in_columns                                ? conv2d.out_w() * step_x
            : arrangement == PatchArrangement::copies ? shape.pool * copy
                                                      : layout.floats();
    samples = cached_samples(image);
  }

  /// Floats of the sums of one filter's patches.
  [[nodiscard]] std::int64_t sum_floats() const {
    return arrangement == PatchArrangement::lookups ? run_floats : runs * whole_vectors(run_floats);
  }

  static std::int64_t cached_samples(std::int64_t image) { return std::max<std::int64_t>(cached_floats / image, 1); }

  /// Floats of a copy: the image and a line, in which it is moved.
  static std::int64_t copy_floats_of(const ChannelsLast& layout) { return layout.floats() + line_floats; }
};

/// to[i][y] = the column_floats floats from pixel (y, i * step) of an image, for 0 <= i < columns.
inline void take_columns_apart(const ChannelsLast& layout, const float* image, std::int64_t columns, std::int64_t step,
                               float* to) {
  const hn::CappedTag<float, PatchLayout::column_floats> d;
  for (std::int64_t y = 0; y < layout.height; ++y) {
    for (std::int64_t x = 0; x < columns; ++x) {
      const float* from = image + y * layout.pitch() + x * step * layout.channels;
      float* column = to + (x * layout.height + y) * PatchLayout::column_floats;
      for (std::int64_t i = 0; i < PatchLayout::column_floats; i += static_cast<std::int64_t>(hn::Lanes(d))) {
        hn::StoreU(hn::LoadU(d, from + i), d, column + i);
      }
    }
  }
}

/// Copies the image `pool` times; in copy b column b stands at the beginning of a line. What comes before the first
/// whole line goes by itself, so that the others are written at once.
inline void copy_to_lines(const ChannelsLast& layout, const float* image, std::int64_t pool, float* to) {
  for (std::int64_t b = 0; b < pool; ++b) {
    const std::int64_t head = b * layout.channels % line_floats;
    float* copy = to + b * PatchLayout::copy_floats_of(layout) + whole_lines(head);
    copy_floats(image, copy - head, head);
    copy_floats(image + head, copy, layout.floats() - head);
  }
}

/// Room for what arrange() writes. Two lines more: what is looked up with the last row below a window may lie beyond
/// the image.
inline float* allocate_arranged(const PatchLayout& layout, Workspace& workspace) {
  const std::int64_t images = layout.arrangement == PatchArrangement::rows ? 0 : layout.samples * layout.image;
  return workspace.allocate<float>(images + 2 * line_floats);
}

/// Some images as the layout has them: themselves, or arranged in `arranged`.
inline const float* arrange(const Conv2dMaxpoolSigmoidShape& shape, const PatchLayout& layout, const float* images,
                            std::int64_t count, float* arranged) {
  if (layout.arrangement == PatchArrangement::rows) {
    return images;
  }
  const ChannelsLast image = input_image(shape);
  for (std::int64_t n = 0; n < count; ++n) {
    const float* from = images + n * image.floats();
    float* to = arranged + n * layout.image;
    if (layout.arrangement == PatchArrangement::columns) {
      take_columns_apart(image, from, shape.conv2d.out_w(), 1, to);
    } else if (layout.arrangement == PatchArrangement::lookups) {
      const std::int64_t windows = windows_of_lookup(shape);
      take_columns_apart(image, from, shape.out_w() / windows, windows * shape.pool, to);
    } else {
      copy_to_lines(image, from, shape.pool, to);
    }
  }
  return arranged;
}

}  // namespace HWY_NAMESPACE
}  // namespace touchstone::cpu
HWY_AFTER_NAMESPACE();

#endif  // toggle
