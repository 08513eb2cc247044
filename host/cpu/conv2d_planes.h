// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>

#include "touchstone/conv2d.h"

namespace touchstone::cpu {

/// How one sample's input is laid out for the convolution (after the memory-efficient convolution of Cho and Brand,
/// 2017): for each channel c, column q of the filter and row phase a in 0..stride_h-1 a plane [rows][out_w] with
///
///   plane[c,q,a][r][j] = input[c, r*stride_h + a - padding_h, j*stride_w + q - padding_w]   (0 outside the image)
///
/// so that for tap (p,q) the inputs of all outputs (i,j), in this order, are out_h*out_w consecutive floats from row
/// p / stride_h of the plane of phase p % stride_h. The input is copied kernel_w times, not taps times, and no output
/// column is computed to be thrown away.
struct Conv2dPlanes {
  std::int64_t phases = 1;
  std::int64_t rows = 1;
  std::int64_t plane = 1;   ///< floats of a plane: rows * out_w
  std::int64_t sample = 1;  ///< floats of a sample, without what may be read beyond

  explicit Conv2dPlanes(const Conv2dShape& shape)
      : phases(std::min(shape.stride_h, shape.kernel_h)),
        rows(shape.out_h() + (shape.kernel_h - 1) / shape.stride_h),
        plane(rows * shape.out_w()),
        sample(shape.channels * shape.kernel_w * phases * plane) {}

  /// Where the plane of channel c, filter column q and row phase a begins.
  [[nodiscard]] std::int64_t begin(const Conv2dShape& shape, std::int64_t c, std::int64_t q, std::int64_t a) const {
    return ((c * shape.kernel_w + q) * phases + a) * plane;
  }

  /// Where the inputs of tap (p,q) of channel c begin.
  [[nodiscard]] std::int64_t offset(const Conv2dShape& shape, std::int64_t c, std::int64_t p, std::int64_t q) const {
    return begin(shape, c, q, p % shape.stride_h) + p / shape.stride_h * shape.out_w();
  }
};

}  // namespace touchstone::cpu
