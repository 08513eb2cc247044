// SPDX-License-Identifier: Apache-2.0
//
// Two-dimensional max-pool with argmax, and its backward pass, in float32. Formulas, ties and NaN: MaxpoolShape.
//
// The common window, 2x2 with stride 2 and no padding, goes by whole vectors of windows: forward compares the four
// elements of each in scan order, backward writes each row of the input's gradient once. The vectors may run beyond a
// row, into what is written afterwards; rows near the end of a tensor, and all other windows, go one window at a time.
#include "touchstone/maxpool.h"

#include <algorithm>
#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/cpu/maxpool.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "host/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace touchstone::cpu {
namespace HWY_NAMESPACE {
namespace {

using Offsets = hn::RebindToSigned<Floats>;
using OffsetVector = hn::Vec<Offsets>;

constexpr bool is_2x2(const MaxpoolShape& shape) {
  return shape.kernel_h == 2 && shape.kernel_w == 2 && shape.stride_h == 2 && shape.stride_w == 2 &&
         shape.padding_h == 0 && shape.padding_w == 0;
}

/// The offset within `plane` [H,W] of the largest element of window (i, j).
std::int64_t argmax_of_window(const MaxpoolShape& shape, const float* plane, std::int64_t i, std::int64_t j) {
  const std::int64_t top = i * shape.stride_h - shape.padding_h;
  const std::int64_t left = j * shape.stride_w - shape.padding_w;
  const std::int64_t x_begin = std::max<std::int64_t>(left, 0);
  const std::int64_t y_end = std::min(top + shape.kernel_h, shape.height);
  const std::int64_t x_end = std::min(left + shape.kernel_w, shape.width);
  std::int64_t best = std::max<std::int64_t>(top, 0) * shape.width + x_begin;
  for (std::int64_t y = std::max<std::int64_t>(top, 0); y < y_end; ++y) {
    for (std::int64_t offset = y * shape.width + x_begin; offset < y * shape.width + x_end; ++offset) {
      best = plane[offset] > plane[best] ? offset : best;
    }
  }
  return best;
}

void pool_row(const MaxpoolShape& shape, const float* plane, std::int64_t i, float* output, std::int32_t* argmax) {
  for (std::int64_t j = 0; j < shape.out_w(); ++j) {
    const std::int64_t best = argmax_of_window(shape, plane, i, j);
    output[j] = plane[best];
    argmax[j] = static_cast<std::int32_t>(best);
  }
}

/// Takes `values` where they are greater.
HWY_INLINE void choose_greater(FloatVector values, OffsetVector offsets, FloatVector& best, OffsetVector& chosen) {
  const auto greater = hn::Gt(values, best);
  best = hn::IfThenElse(greater, values, best);
  chosen = hn::IfThenElse(hn::RebindMask(Offsets(), greater), offsets, chosen);
}

/// Row i of 2x2 windows over a plane of this width, by vectors that may run beyond it.
HWY_INLINE void pool_row_2x2(std::int64_t width, std::int64_t windows, const float* plane, std::int64_t i,
                             float* output, std::int32_t* argmax) {
  const Floats d;
  const Offsets di;
  const std::int64_t lanes = float_lanes();
  const OffsetVector below = hn::Set(di, static_cast<std::int32_t>(width));
  const OffsetVector one = hn::Set(di, 1);
  for (std::int64_t j = 0; j < windows; j += lanes) {
    const std::int64_t corner = 2 * i * width + 2 * j;
    FloatVector best;
    FloatVector top_right;
    FloatVector left;
    FloatVector right;
    hn::LoadInterleaved2(d, plane + corner, best, top_right);
    hn::LoadInterleaved2(d, plane + corner + width, left, right);
    const OffsetVector first =
        hn::Add(hn::Set(di, static_cast<std::int32_t>(corner)), hn::ShiftLeft<1>(hn::Iota(di, 0)));
    OffsetVector chosen = first;
    choose_greater(top_right, hn::Add(first, one), best, chosen);
    choose_greater(left, hn::Add(first, below), best, chosen);
    choose_greater(right, hn::Add(hn::Add(first, below), one), best, chosen);
    hn::StoreU(best, d, output + j);
    hn::StoreU(chosen, di, argmax + j);
  }
}

/// `count` rounded up to whole vectors.
std::int64_t whole_vectors(std::int64_t count) {
  const std::int64_t lanes = float_lanes();
  return (count + lanes - 1) / lanes * lanes;
}

void maxpool_forward_kernel(const MaxpoolShape& shape, const float* input, float* output, std::int32_t* argmax) {
  const bool windows_2x2 = is_2x2(shape);
  const std::int64_t out_h = shape.out_h();
  const std::int64_t out_w = shape.out_w();
  const std::int64_t reach = whole_vectors(out_w);
  const std::int64_t output_count = shape.output_count();
  for (std::int64_t nc = 0; nc < shape.batch * shape.channels; ++nc) {
    const std::int64_t plane = nc * shape.height * shape.width;
    for (std::int64_t i = 0; i < out_h; ++i) {
      const std::int64_t row = (nc * out_h + i) * out_w;
      const std::int64_t end_of_read = plane + (2 * i + 1) * shape.width + 2 * reach;
      if (windows_2x2 && end_of_read <= shape.input_count() && row + reach <= output_count) {
        pool_row_2x2(shape.width, out_w, input + plane, i, output + row, argmax + row);
      } else {
        pool_row(shape, input + plane, i, output + row, argmax + row);
      }
    }
  }
}

/// Row y of the gradient of a plane of this width, by vectors that may run beyond it.
HWY_INLINE void spread_row_2x2(std::int64_t width, std::int64_t windows, const float* grad_output,
                               const std::int32_t* argmax, std::int64_t y, float* grad_plane) {
  const Floats d;
  const Offsets di;
  const std::int64_t lanes = float_lanes();
  for (std::int64_t j = 0; j < windows; j += lanes) {
    const std::int64_t corner = y * width + 2 * j;
    const FloatVector gradient = hn::LoadU(d, grad_output + j);
    const OffsetVector chosen = hn::LoadU(di, argmax + j);
    const OffsetVector left =
        hn::Add(hn::Set(di, static_cast<std::int32_t>(corner)), hn::ShiftLeft<1>(hn::Iota(di, 0)));
    const OffsetVector right = hn::Add(left, hn::Set(di, 1));
    hn::StoreInterleaved2(hn::IfThenElseZero(hn::RebindMask(d, hn::Eq(chosen, left)), gradient),
                          hn::IfThenElseZero(hn::RebindMask(d, hn::Eq(chosen, right)), gradient), d,
                          grad_plane + corner);
  }
  if (width > 2 * windows) {
    grad_plane[y * width + 2 * windows] = 0;  // the last column, where the width is odd
  }
}

/// Adds a plane's gradients to zeros, in scan order of the windows.
void scatter_plane(const MaxpoolShape& shape, const float* grad_output, const std::int32_t* argmax, float* grad_plane) {
  fill_zero(grad_plane, shape.height * shape.width);
  for (std::int64_t ij = 0; ij < shape.out_positions(); ++ij) {
    grad_plane[argmax[ij]] += grad_output[ij];
  }
}

void maxpool_backward_kernel(const MaxpoolShape& shape, const float* grad_output, const std::int32_t* argmax,
                             float* grad_input) {
  const bool windows_2x2 = is_2x2(shape);
  const std::int64_t out_h = shape.out_h();
  const std::int64_t out_w = shape.out_w();
  const std::int64_t plane_floats = shape.height * shape.width;
  const std::int64_t planes = shape.batch * shape.channels;
  const std::int64_t beyond = whole_vectors(out_w) - out_w;
  for (std::int64_t nc = 0; nc < planes; ++nc) {
    const float* from = grad_output + nc * out_h * out_w;
    const std::int32_t* chosen = argmax + nc * out_h * out_w;
    float* to = grad_input + nc * plane_floats;
    // Vectors may run beyond a plane into the next, which is written later, but not beyond the last.
    const std::int64_t later = planes - nc - 1;
    if (windows_2x2 && later * out_h * out_w >= beyond && later * plane_floats >= 2 * beyond) {
      for (std::int64_t y = 0; y < 2 * out_h; ++y) {
        spread_row_2x2(shape.width, out_w, from + y / 2 * out_w, chosen + y / 2 * out_w, y, to);
      }
      fill_zero(to + 2 * out_h * shape.width, (shape.height - 2 * out_h) * shape.width);
    } else {
      scatter_plane(shape, from, chosen, to);
    }
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace touchstone::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace touchstone::cpu {

namespace {
HWY_EXPORT(maxpool_forward_kernel);
HWY_EXPORT(maxpool_backward_kernel);
}  // namespace

void maxpool_forward(const MaxpoolShape& shape, const float* input, float* output, std::int32_t* argmax) {
  shape.validate();
  HWY_DYNAMIC_DISPATCH(maxpool_forward_kernel)(shape, input, output, argmax);
}

void maxpool_backward(const MaxpoolShape& shape, const float* grad_output, const std::int32_t* argmax,
                      float* grad_input) {
  shape.validate();
  HWY_DYNAMIC_DISPATCH(maxpool_backward_kernel)(shape, grad_output, argmax, grad_input);
}

}  // namespace touchstone::cpu

#endif  // HWY_ONCE
