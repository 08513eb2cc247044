// SPDX-License-Identifier: Apache-2.0
//
// Copies a sample's input into the planes of Conv2dPlanes. Included once per instruction set.
#if defined(TOUCHSTONE_HOST_CPU_CONV2D_PACK_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TOUCHSTONE_HOST_CPU_CONV2D_PACK_INL_H_
#undef TOUCHSTONE_HOST_CPU_CONV2D_PACK_INL_H_
#else
#define TOUCHSTONE_HOST_CPU_CONV2D_PACK_INL_H_
#endif

#include <algorithm>
#include <cstdint>

#include <hwy/highway.h>

#include "host/cpu/conv2d_planes.h"
#include "host/cpu/simd-inl.h"
#include "host/cpu/workspace.h"
#include "touchstone/conv2d.h"

HWY_BEFORE_NAMESPACE();
namespace touchstone::cpu {
namespace HWY_NAMESPACE {

/// Images that are read as they are or, where there is padding, through a copy with a border of zeros.
struct PaddedImage {
  const float* pixels = nullptr;  // [channels][height][width]
  const float* end = nullptr;     // nothing from here on may be read
  std::int64_t height = 0;        // with the padding
  std::int64_t width = 0;
};

/// Copies one sample's images between borders of zeros, which are in place already.
inline void copy_inside_border(const Conv2dShape& shape, const float* input, float* padded) {
  const std::int64_t padded_height = shape.height + 2 * shape.padding_h;
  const std::int64_t padded_width = shape.width + 2 * shape.padding_w;
  for (std::int64_t c = 0; c < shape.channels; ++c) {
    for (std::int64_t y = 0; y < shape.height; ++y) {
      copy_floats(input + (c * shape.height + y) * shape.width,
                  padded + (c * padded_height + y + shape.padding_h) * padded_width + shape.padding_w, shape.width);
    }
  }
}

/// Rows of an image, or every so many-th of its pixels, that become rows of a plane.
struct PackedRows {
  const float* from = nullptr;  // the first pixel of the first row
  std::int64_t step = 0;        // floats from row to row
  std::int64_t stride = 1;      // floats from column to column
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  const float* end = nullptr;  // nothing from here on may be read
};

/// A vector of pixels that are `stride` apart; reads stride vectors.
template <std::int64_t stride>
HWY_INLINE FloatVector load_strided(const float* from) {
  const Floats d;
  FloatVector first = hn::Zero(d);
  [[maybe_unused]] FloatVector second = hn::Zero(d);
  [[maybe_unused]] FloatVector third = hn::Zero(d);
  if constexpr (stride == 1) {
    first = hn::LoadU(d, from);
  } else if constexpr (stride == 2) {
    hn::LoadInterleaved2(d, from, first, second);
  } else {
    hn::LoadInterleaved3(d, from, first, second, third);
  }
  return first;
}

/// Writes the first rows one after another by whole vectors, as long as these may be read; the number of rows. Writes
/// up to a vector too much: what comes next is written later, or is not used.
template <std::int64_t stride>
HWY_INLINE std::int64_t pack_rows_by_vectors(const PackedRows& source, float* to) {
  const std::int64_t lanes = float_lanes();
  const std::int64_t reach = (source.columns + lanes - 1) / lanes * lanes * stride;
  const float* from = source.from;
  std::int64_t r = 0;
  for (; r < source.rows && source.end - from >= reach; ++r) {
    for (std::int64_t j = 0; j < source.columns; j += lanes) {
      hn::StoreU(load_strided<stride>(from + j * stride), Floats(), to + j);
    }
    from += source.step;
    to += source.columns;
  }
  return r;
}

/// Writes the rows one after another.
HWY_INLINE void pack_rows(const PackedRows& source, float* to) {
  std::int64_t r = 0;
  if (source.stride == 1) {
    r = pack_rows_by_vectors<1>(source, to);
  } else if (source.stride == 2) {
    r = pack_rows_by_vectors<2>(source, to);
  } else if (source.stride == 3) {
    r = pack_rows_by_vectors<3>(source, to);
  }
  for (; r < source.rows; ++r) {
    for (std::int64_t j = 0; j < source.columns; ++j) {
      to[r * source.columns + j] = source.from[r * source.step + j * source.stride];
    }
  }
}

/// Fills the planes of one sample. `planes` has room for a vector beyond the sample's floats.
inline void pack_planes(const Conv2dShape& shape, const Conv2dPlanes& layout, const PaddedImage& image, float* planes) {
  const std::int64_t columns = shape.out_w();
  for (std::int64_t c = 0; c < shape.channels; ++c) {
    const float* pixels = image.pixels + c * image.height * image.width;
    for (std::int64_t q = 0; q < shape.kernel_w; ++q) {
      for (std::int64_t a = 0; a < layout.phases; ++a) {
        // Without a stride every row is in the image; with one, phases that end early are filled up with zeros.
        const std::int64_t rows = std::min(layout.rows, (image.height - a + shape.stride_h - 1) / shape.stride_h);
        float* to = planes + layout.begin(shape, c, q, a);
        pack_rows({.from = pixels + a * image.width + q,
                   .step = shape.stride_h * image.width,
                   .stride = shape.stride_w,
                   .rows = rows,
                   .columns = columns,
                   .end = image.end},
                  to);
        if (rows < layout.rows) {
          fill_zero(to + rows * columns, (layout.rows - rows) * columns);
        }
      }
    }
  }
}

/// Packs the samples of a batch one after another.
class Conv2dPacker {
 public:
  Conv2dPacker(const Conv2dShape& shape, const float* input, Workspace& workspace)
      : shape_(shape),
        layout_(shape),
        input_(input),
        height_(shape.height + 2 * shape.padding_h),
        width_(shape.width + 2 * shape.padding_w) {
    if (shape.padding_h > 0 || shape.padding_w > 0) {
      const std::int64_t floats = shape.channels * height_ * width_ + float_lanes();
      padded_ = workspace.allocate<float>(floats);
      padded_end_ = padded_ + floats;
      fill_zero(padded_, floats);
    }
  }

  [[nodiscard]] const Conv2dPlanes& layout() const { return layout_; }

  /// Floats that the planes of one sample take, with the vector that may be read beyond them.
  [[nodiscard]] std::int64_t floats() const { return layout_.sample + float_lanes(); }

  /// Fills planes [floats()] with sample n.
  void pack(std::int64_t n, float* planes) const {
    const std::int64_t sample = shape_.channels * shape_.height * shape_.width;
    PaddedImage image{
        .pixels = input_ + n * sample, .end = input_ + shape_.batch * sample, .height = height_, .width = width_};
    if (padded_ != nullptr) {
      copy_inside_border(shape_, image.pixels, padded_);
      image.pixels = padded_;
      image.end = padded_end_;
    }
    fill_zero(planes + layout_.sample, float_lanes());
    pack_planes(shape_, layout_, image, planes);
  }

 private:
  Conv2dShape shape_;
  Conv2dPlanes layout_;
  const float* input_;
  std::int64_t height_;  // with the padding
  std::int64_t width_;
  float* padded_ = nullptr;  // [channels][height_][width_] and a vector, where there is padding
  const float* padded_end_ = nullptr;
};

}  // namespace HWY_NAMESPACE
}  // namespace touchstone::cpu
HWY_AFTER_NAMESPACE();

#endif  // toggle
