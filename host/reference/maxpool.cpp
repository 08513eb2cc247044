// SPDX-License-Identifier: Apache-2.0
//
// Two-dimensional max-pool, forward and backward, in double precision.
//
//   forward   output[n,c,i,j] = max over p,q of input[n,c,y,x],  y = i*stride_h + p - padding_h,
//                                                                x = j*stride_w + q - padding_w
//             argmax[n,c,i,j] = y*W + x of the chosen element
//   backward  grad_input[n,c,y,x] = sum of grad_output[n,c,i,j] over the i,j with argmax[n,c,i,j] = y*W + x
//
//   0 <= n < N, 0 <= c < C, 0 <= i < out_h, 0 <= j < out_w, 0 <= p < kernel_h, 0 <= q < kernel_w,
//   over positions with 0 <= y < H and 0 <= x < W: the padding never wins, not even against negative values.
//
// Ties: the first of equals in scan order (row by row). A later element is chosen only where it compares greater, so a
// NaN is kept where it comes first in its window and passed over elsewhere. Where windows overlap an element may be
// chosen several times; its gradients are added in scan order of the windows.
#include "touchstone/maxpool.h"

#include <algorithm>
#include <cstdint>
#include <limits>

#include <fmt/format.h>

#include "host/reference/shape_checks.h"
#include "touchstone/error.h"

namespace touchstone {

void MaxpoolShape::validate() const {
  reference::require_sizes("maxpool", {{"batch", batch, 0},
                                       {"channels", channels},
                                       {"height", height},
                                       {"width", width},
                                       {"kernel_h", kernel_h},
                                       {"kernel_w", kernel_w},
                                       {"stride_h", stride_h},
                                       {"stride_w", stride_w},
                                       {"padding_h", padding_h, 0},
                                       {"padding_w", padding_w, 0}});
  if (2 * padding_h > kernel_h || 2 * padding_w > kernel_w) {
    throw Error(fmt::format("maxpool: the padding is {}x{}; it must be at most half the window, {}x{}", padding_h,
                            padding_w, kernel_h, kernel_w));
  }
  if (kernel_h > height + 2 * padding_h || kernel_w > width + 2 * padding_w) {
    throw Error(fmt::format("maxpool: the window is {}x{}; it must fit into the padded image, {}x{}", kernel_h,
                            kernel_w, height + 2 * padding_h, width + 2 * padding_w));
  }
  if (height * width > std::numeric_limits<std::int32_t>::max()) {
    throw Error(fmt::format("maxpool: a plane of {}x{} has {} elements; it must have fewer than 2^31", height, width,
                            height * width));
  }
  const std::int64_t samples = std::max<std::int64_t>(batch, 1);
  reference::require_countable("maxpool", "input elements", {samples, channels, height, width});
  reference::require_countable("maxpool", "comparisons", {samples, channels, out_h(), out_w(), kernel_h, kernel_w});
}

namespace reference {

namespace {

/// The offset within `plane` [H,W] of the largest element of window (i, j).
std::int64_t argmax_of_window(const MaxpoolShape& shape, const double* plane, std::int64_t i, std::int64_t j) {
  const std::int64_t top = i * shape.stride_h - shape.padding_h;
  const std::int64_t left = j * shape.stride_w - shape.padding_w;
  const std::int64_t y_begin = std::max<std::int64_t>(top, 0);
  const std::int64_t x_begin = std::max<std::int64_t>(left, 0);
  const std::int64_t y_end = std::min(top + shape.kernel_h, shape.height);
  const std::int64_t x_end = std::min(left + shape.kernel_w, shape.width);
  std::int64_t best = y_begin * shape.width + x_begin;
  for (std::int64_t y = y_begin; y < y_end; ++y) {
    for (std::int64_t x = x_begin; x < x_end; ++x) {
      const std::int64_t offset = y * shape.width + x;
      if (plane[offset] > plane[best]) {
        best = offset;
      }
    }
  }
  return best;
}

}  // namespace

void maxpool_forward(const MaxpoolShape& shape, const double* input, double* output, std::int32_t* argmax) {
  for (std::int64_t nc = 0; nc < shape.batch * shape.channels; ++nc) {
    const double* plane = input + nc * shape.height * shape.width;
    for (std::int64_t i = 0; i < shape.out_h(); ++i) {
      for (std::int64_t j = 0; j < shape.out_w(); ++j) {
        const std::int64_t best = argmax_of_window(shape, plane, i, j);
        const std::int64_t position = (nc * shape.out_h() + i) * shape.out_w() + j;
        output[position] = plane[best];
        argmax[position] = static_cast<std::int32_t>(best);
      }
    }
  }
}

void maxpool_backward(const MaxpoolShape& shape, const double* grad_output, const std::int32_t* argmax,
                      double* grad_input) {
  std::fill_n(grad_input, shape.input_count(), 0.0);
  for (std::int64_t nc = 0; nc < shape.batch * shape.channels; ++nc) {
    double* plane = grad_input + nc * shape.height * shape.width;
    for (std::int64_t ij = 0; ij < shape.out_positions(); ++ij) {
      const std::int64_t position = nc * shape.out_positions() + ij;
      plane[argmax[position]] += grad_output[position];
    }
  }
}

}  // namespace reference
}  // namespace touchstone
