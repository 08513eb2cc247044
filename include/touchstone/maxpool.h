// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace touchstone {

/// The geometry of a two-dimensional max-pool: input [N,C,H,W], output and argmax [N,C,out_h,out_w].
///
///   output[n,c,i,j] = max over p,q of input[n, c, i*stride_h + p - padding_h, j*stride_w + q - padding_w]
///
/// over the positions inside the image. argmax[n,c,i,j] is the offset h*W + w of the chosen element within its own
/// plane; of equal elements the first in scan order (row by row) is chosen. A later element is chosen only where it
/// compares greater, so a NaN is kept where it comes first in its window and passed over elsewhere. Sizes round down.
struct MaxpoolShape {
  std::int64_t batch = 1;
  std::int64_t channels = 1;
  std::int64_t height = 1;
  std::int64_t width = 1;
  std::int64_t kernel_h = 1;
  std::int64_t kernel_w = 1;
  std::int64_t stride_h = 1;
  std::int64_t stride_w = 1;
  std::int64_t padding_h = 0;
  std::int64_t padding_w = 0;

  [[nodiscard]] constexpr std::int64_t out_h() const { return (height + 2 * padding_h - kernel_h) / stride_h + 1; }
  [[nodiscard]] constexpr std::int64_t out_w() const { return (width + 2 * padding_w - kernel_w) / stride_w + 1; }
  [[nodiscard]] constexpr std::int64_t out_positions() const { return out_h() * out_w(); }
  [[nodiscard]] constexpr std::int64_t input_count() const { return batch * channels * height * width; }
  [[nodiscard]] constexpr std::int64_t output_count() const { return batch * channels * out_positions(); }

  /// Throws Error unless every size is positive (the batch may be 0), the padding is at most half the kernel (so that
  /// each window holds a pixel), the kernel fits into the padded image, and a plane has fewer than 2^31 elements.
  void validate() const;

  bool operator==(const MaxpoolShape&) const = default;
};

namespace reference {

/// As in MaxpoolShape; `output` and `argmax` are overwritten.
void maxpool_forward(const MaxpoolShape& shape, const double* input, double* output, std::int32_t* argmax);

/// grad_input[n,c,h,w] = sum of grad_output[n,c,i,j] over the windows i,j whose argmax is h*W + w, in scan order of
/// the windows; 0 where there is none.
void maxpool_backward(const MaxpoolShape& shape, const double* grad_output, const std::int32_t* argmax,
                      double* grad_input);

}  // namespace reference

namespace cpu {

/// As reference::maxpool_forward in float32; selects the very same elements.
void maxpool_forward(const MaxpoolShape& shape, const float* input, float* output, std::int32_t* argmax);
/// As reference::maxpool_backward in float32.
void maxpool_backward(const MaxpoolShape& shape, const float* grad_output, const std::int32_t* argmax,
                      float* grad_input);

}  // namespace cpu
}  // namespace touchstone
