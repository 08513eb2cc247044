// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace touchstone {

/// The geometry of a two-dimensional convolution (cross-correlation, as in every deep-learning library).
///
/// Tensors are dense, row-major float arrays: input [N,C,H,W], filters [K,C,kernel_h,kernel_w], bias [K],
/// output [N,K,out_h,out_w]:
///
///   output[n,k,i,j] = bias[k] + sum over c,p,q of input[n, c, i*stride_h + p - padding_h, j*stride_w + q - padding_w]
///                                               * filters[k,c,p,q]
///
/// where input positions outside the image count as zero. This struct is the only source of output sizes, element
/// counts, FLOPs and bytes, for kernels, references, tests and benchmarks alike.
struct Conv2dShape {
  std::int64_t batch = 1;
  std::int64_t channels = 1;
  std::int64_t height = 1;
  std::int64_t width = 1;
  std::int64_t filters = 1;
  std::int64_t kernel_h = 1;
  std::int64_t kernel_w = 1;
  std::int64_t stride_h = 1;
  std::int64_t stride_w = 1;
  std::int64_t padding_h = 0;
  std::int64_t padding_w = 0;

  [[nodiscard]] constexpr std::int64_t out_h() const { return (height + 2 * padding_h - kernel_h) / stride_h + 1; }
  [[nodiscard]] constexpr std::int64_t out_w() const { return (width + 2 * padding_w - kernel_w) / stride_w + 1; }
  [[nodiscard]] constexpr std::int64_t taps() const { return kernel_h * kernel_w; }
  [[nodiscard]] constexpr std::int64_t out_positions() const { return out_h() * out_w(); }
  [[nodiscard]] constexpr std::int64_t input_count() const { return batch * channels * height * width; }
  [[nodiscard]] constexpr std::int64_t filters_count() const { return filters * channels * taps(); }
  [[nodiscard]] constexpr std::int64_t output_count() const { return batch * filters * out_positions(); }
  /// Multiply-adds of the forward pass over the whole batch; taps that fall into the padding count.
  [[nodiscard]] constexpr std::int64_t multiply_adds() const { return output_count() * channels * taps(); }

  /// Throws Error unless every size is positive (the batch may be 0), padding is not negative and smaller than the
  /// kernel, and the kernel fits into the padded image.
  void validate() const;

  bool operator==(const Conv2dShape&) const = default;
};

namespace reference {

/// output[n,k,i,j] as in Conv2dShape, in double precision. `output` is overwritten. `bias` may be nullptr (no bias).
void conv2d_forward(const Conv2dShape& shape, const double* input, const double* filters, const double* bias,
                    double* output);

/// grad_input[n,c,y,x] = sum over k,p,q of grad_output[n,k,i,j] * filters[k,c,p,q], over those i,j with
/// i*stride_h + p - padding_h = y and j*stride_w + q - padding_w = x: the full correlation with flipped filters.
void conv2d_backward_data(const Conv2dShape& shape, const double* grad_output, const double* filters,
                          double* grad_input);

/// grad_filters[k,c,p,q] = sum over n,i,j of grad_output[n,k,i,j] *
/// input[n,c,i*stride_h+p-padding_h,j*stride_w+q-padding_w].
void conv2d_backward_filters(const Conv2dShape& shape, const double* grad_output, const double* input,
                             double* grad_filters);

/// grad_bias[k] = sum over n,i,j of grad_output[n,k,i,j].
void conv2d_backward_bias(const Conv2dShape& shape, const double* grad_output, double* grad_bias);

}  // namespace reference

namespace cpu {

class Workspace;

/// As reference::conv2d_forward in float32, vectorised; serial (the executor runs groups of samples in parallel).
void conv2d_forward(const Conv2dShape& shape, const float* input, const float* filters, const float* bias,
                    float* output, Workspace& workspace);
/// As reference::conv2d_backward_data in float32.
void conv2d_backward_data(const Conv2dShape& shape, const float* grad_output, const float* filters, float* grad_input,
                          Workspace& workspace);
/// As reference::conv2d_backward_filters in float32.
void conv2d_backward_filters(const Conv2dShape& shape, const float* grad_output, const float* input,
                             float* grad_filters, Workspace& workspace);
/// As reference::conv2d_backward_bias in float32.
void conv2d_backward_bias(const Conv2dShape& shape, const float* grad_output, float* grad_bias, Workspace& workspace);

}  // namespace cpu
}  // namespace touchstone
