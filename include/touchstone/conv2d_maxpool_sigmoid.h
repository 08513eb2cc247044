// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "touchstone/conv2d.h"
#include "touchstone/maxpool.h"

namespace touchstone {

/// The geometry of a block of three operations computed as one: a convolution with stride 1 and no padding, a max-pool
/// whose windows of pool x pool do not overlap, and a sigmoid of what was pooled. Input [N,C,H,W], filters and bias as
/// in Conv2dShape; output and argmax [N,K,out_h,out_w], sizes rounded down:
///
///   output[n,k,i,j] = sigmoid(max over a,b of pre[n, k, i*pool + a, j*pool + b]),   0 <= a,b < pool
///
/// with `pre` the convolution's output, which is never stored. argmax[n,k,i,j] = a*pool + b is the chosen position
/// within the window; ties and NaN as in MaxpoolShape.
struct Conv2dMaxpoolSigmoidShape {
  Conv2dShape conv2d;
  std::int64_t pool = 2;  ///< the window's height and width, and its strides: 2 or 3

  /// The max-pool of the whole convolution's output.
  [[nodiscard]] constexpr MaxpoolShape maxpool() const {
    return {.batch = conv2d.batch,
            .channels = conv2d.filters,
            .height = conv2d.out_h(),
            .width = conv2d.out_w(),
            .kernel_h = pool,
            .kernel_w = pool,
            .stride_h = pool,
            .stride_w = pool};
  }
  [[nodiscard]] constexpr std::int64_t out_h() const { return conv2d.out_h() / pool; }
  [[nodiscard]] constexpr std::int64_t out_w() const { return conv2d.out_w() / pool; }
  [[nodiscard]] constexpr std::int64_t windows() const { return out_h() * out_w(); }
  [[nodiscard]] constexpr std::int64_t input_count() const { return conv2d.input_count(); }
  [[nodiscard]] constexpr std::int64_t filters_count() const { return conv2d.filters_count(); }
  [[nodiscard]] constexpr std::int64_t output_count() const { return conv2d.batch * conv2d.filters * windows(); }

  /// Throws Error unless the convolution is valid, has stride 1 and no padding, and the pool is 2 or 3 and fits.
  void validate() const;

  bool operator==(const Conv2dMaxpoolSigmoidShape&) const = default;
};

namespace reference {

/// The three reference operations one after the other. `bias` may be nullptr (no bias).
void conv2d_maxpool_sigmoid_forward(const Conv2dMaxpoolSigmoidShape& shape, const double* input, const double* filters,
                                    const double* bias, double* output, std::uint8_t* argmax);

/// From the gradient by `output`, with `output` and `argmax` as the forward pass left them, to the gradient by the
/// input: with delta = grad_output * output * (1 - output) the gradient at the argmax of each window,
/// grad_input[n,c,y,x] = sum of delta[n,k,i,j] * filters[k,c,p,q] over those k,i,j,p,q with i*pool + a + p = y and
/// j*pool + b + q = x, where (a, b) is the argmax of window (i,j).
void conv2d_maxpool_sigmoid_backward_data(const Conv2dMaxpoolSigmoidShape& shape, const double* grad_output,
                                          const double* output, const std::uint8_t* argmax, const double* filters,
                                          double* grad_input);

/// grad_filters[k,c,p,q] = sum over n,i,j of delta[n,k,i,j] * input[n, c, i*pool + a + p, j*pool + b + q].
void conv2d_maxpool_sigmoid_backward_filters(const Conv2dMaxpoolSigmoidShape& shape, const double* grad_output,
                                             const double* output, const std::uint8_t* argmax, const double* input,
                                             double* grad_filters);

/// grad_bias[k] = sum over n,i,j of delta[n,k,i,j].
void conv2d_maxpool_sigmoid_backward_bias(const Conv2dMaxpoolSigmoidShape& shape, const double* grad_output,
                                          const double* output, double* grad_bias);

}  // namespace reference

namespace cpu {

class Workspace;

/// As reference::conv2d_maxpool_sigmoid_forward in float32, vectorised; serial. The pre-activations of some shapes come
/// by Winograd's method (host/cpu/winograd.h), and are then not exact even on small integers.
void conv2d_maxpool_sigmoid_forward(const Conv2dMaxpoolSigmoidShape& shape, const float* input, const float* filters,
                                    const float* bias, float* output, std::uint8_t* argmax, Workspace& workspace);
/// As reference::conv2d_maxpool_sigmoid_backward_data in float32. An infinite or NaN delta spreads over all pixels that
/// its window reads, whatever the argmax.
void conv2d_maxpool_sigmoid_backward_data(const Conv2dMaxpoolSigmoidShape& shape, const float* grad_output,
                                          const float* output, const std::uint8_t* argmax, const float* filters,
                                          float* grad_input, Workspace& workspace);
/// As reference::conv2d_maxpool_sigmoid_backward_filters in float32.
void conv2d_maxpool_sigmoid_backward_filters(const Conv2dMaxpoolSigmoidShape& shape, const float* grad_output,
                                             const float* output, const std::uint8_t* argmax, const float* input,
                                             float* grad_filters, Workspace& workspace);
/// As reference::conv2d_maxpool_sigmoid_backward_bias in float32.
void conv2d_maxpool_sigmoid_backward_bias(const Conv2dMaxpoolSigmoidShape& shape, const float* grad_output,
                                          const float* output, float* grad_bias, Workspace& workspace);

}  // namespace cpu
}  // namespace touchstone
