// SPDX-License-Identifier: Apache-2.0
//
// Two-dimensional convolution, forward and backward, in double precision. As in every deep-learning library the
// "convolution" is a cross-correlation: the filters are not flipped.
//
// With y = i*stride_h + p - padding_h and x = j*stride_w + q - padding_w, one product links the three tensors:
//
//   forward            output[n,k,i,j]       = bias[k] + sum over c,p,q   of input[n,c,y,x] * filters[k,c,p,q]
//   backward, data     grad_input[n,c,y,x]   = sum over k,p,q,i,j         of grad_output[n,k,i,j] * filters[k,c,p,q]
//   backward, filters  grad_filters[k,c,p,q] = sum over n,i,j             of grad_output[n,k,i,j] * input[n,c,y,x]
//   backward, bias     grad_bias[k]          = sum over n,i,j             of grad_output[n,k,i,j]
//
//   0 <= n < N, 0 <= k < K, 0 <= c < C, 0 <= p < kernel_h, 0 <= q < kernel_w, 0 <= i < out_h, 0 <= j < out_w
//
// where only terms with 0 <= y < H and 0 <= x < W count: the padding is zero and is never multiplied, so an infinite
// filter gives no NaN there. The three sums run over the very same terms; each function below adds them up into
// another of the three tensors. docs/derivations.md derives them. NaN and infinity spread as IEEE arithmetic has it.
#include "touchstone/conv2d.h"

#include <algorithm>
#include <cstdint>
#include <numeric>

#include <fmt/format.h>

#include "host/reference/shape_checks.h"
#include "touchstone/error.h"

namespace touchstone {

void Conv2dShape::validate() const {
  reference::require_sizes("conv2d", {{"batch", batch, 0},
                                      {"channels", channels},
                                      {"height", height},
                                      {"width", width},
                                      {"filters", filters},
                                      {"kernel_h", kernel_h},
                                      {"kernel_w", kernel_w},
                                      {"stride_h", stride_h},
                                      {"stride_w", stride_w},
                                      {"padding_h", padding_h, 0},
                                      {"padding_w", padding_w, 0}});
  if (padding_h >= kernel_h || padding_w >= kernel_w) {
    throw Error(fmt::format("conv2d: the padding is {}x{}; it must be smaller than the kernel, {}x{}", padding_h,
                            padding_w, kernel_h, kernel_w));
  }
  if (kernel_h > height + 2 * padding_h || kernel_w > width + 2 * padding_w) {
    throw Error(fmt::format("conv2d: the kernel is {}x{}; it must fit into the padded image, {}x{}", kernel_h, kernel_w,
                            height + 2 * padding_h, width + 2 * padding_w));
  }
  const std::int64_t samples = std::max<std::int64_t>(batch, 1);
  reference::require_countable("conv2d", "input elements", {samples, channels, height, width});
  reference::require_countable("conv2d", "multiply-adds",
                               {samples, filters, out_h(), out_w(), channels, kernel_h, kernel_w});
}

namespace reference {

namespace {

struct IndexRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

/// The output indices i, out of 0..out-1, whose input position i*stride + tap - padding lies in 0..size-1.
IndexRange outputs_inside(std::int64_t size, std::int64_t out, std::int64_t stride, std::int64_t padding,
                          std::int64_t tap) {
  const std::int64_t before = std::max<std::int64_t>(padding - tap, 0);
  const std::int64_t last = size - 1 + padding - tap;  // the largest i*stride that is still inside
  return {(before + stride - 1) / stride, last < 0 ? 0 : std::min(out, last / stride + 1)};
}

/// `length` terms next to each other along a row of the output, all with the same filter tap: term j links the
/// elements output + j, input + j*stride_w and filter of their tensors.
struct TermRun {
  std::int64_t output = 0;
  std::int64_t input = 0;
  std::int64_t filter = 0;
  std::int64_t length = 0;
};

/// Visits the terms of sample n, filter k, channel c.
template <class Visitor>
void for_each_run_of_planes(const Conv2dShape& s, std::int64_t n, std::int64_t k, std::int64_t c,
                            const Visitor& visit) {
  for (std::int64_t p = 0; p < s.kernel_h; ++p) {
    const IndexRange rows = outputs_inside(s.height, s.out_h(), s.stride_h, s.padding_h, p);
    for (std::int64_t q = 0; q < s.kernel_w; ++q) {
      const IndexRange columns = outputs_inside(s.width, s.out_w(), s.stride_w, s.padding_w, q);
      for (std::int64_t i = rows.begin; i < rows.end; ++i) {
        const std::int64_t y = i * s.stride_h + p - s.padding_h;
        const std::int64_t x = columns.begin * s.stride_w + q - s.padding_w;
        visit(TermRun{.output = ((n * s.filters + k) * s.out_h() + i) * s.out_w() + columns.begin,
                      .input = ((n * s.channels + c) * s.height + y) * s.width + x,
                      .filter = ((k * s.channels + c) * s.kernel_h + p) * s.kernel_w + q,
                      .length = columns.end - columns.begin});
      }
    }
  }
}

/// Visits every term of the convolution once.
template <class Visitor>
void for_each_run(const Conv2dShape& shape, const Visitor& visit) {
  for (std::int64_t n = 0; n < shape.batch; ++n) {
    for (std::int64_t k = 0; k < shape.filters; ++k) {
      for (std::int64_t c = 0; c < shape.channels; ++c) {
        for_each_run_of_planes(shape, n, k, c, visit);
      }
    }
  }
}

}  // namespace

void conv2d_forward(const Conv2dShape& shape, const double* input, const double* filters, const double* bias,
                    double* output) {
  for (std::int64_t n = 0; n < shape.batch; ++n) {
    for (std::int64_t k = 0; k < shape.filters; ++k) {
      std::fill_n(output + (n * shape.filters + k) * shape.out_positions(), shape.out_positions(),
                  bias == nullptr ? 0.0 : bias[k]);
    }
  }
  for_each_run(shape, [&](const TermRun& run) {
    const double weight = filters[run.filter];
    for (std::int64_t j = 0; j < run.length; ++j) {
      output[run.output + j] += input[run.input + j * shape.stride_w] * weight;
    }
  });
}

void conv2d_backward_data(const Conv2dShape& shape, const double* grad_output, const double* filters,
                          double* grad_input) {
  std::fill_n(grad_input, shape.input_count(), 0.0);
  for_each_run(shape, [&](const TermRun& run) {
    const double weight = filters[run.filter];
    for (std::int64_t j = 0; j < run.length; ++j) {
      grad_input[run.input + j * shape.stride_w] += grad_output[run.output + j] * weight;
    }
  });
}

void conv2d_backward_filters(const Conv2dShape& shape, const double* grad_output, const double* input,
                             double* grad_filters) {
  std::fill_n(grad_filters, shape.filters_count(), 0.0);
  for_each_run(shape, [&](const TermRun& run) {
    double sum = 0;
    for (std::int64_t j = 0; j < run.length; ++j) {
      sum += grad_output[run.output + j] * input[run.input + j * shape.stride_w];
    }
    grad_filters[run.filter] += sum;
  });
}

void conv2d_backward_bias(const Conv2dShape& shape, const double* grad_output, double* grad_bias) {
  std::fill_n(grad_bias, shape.filters, 0.0);
  for (std::int64_t n = 0; n < shape.batch; ++n) {
    for (std::int64_t k = 0; k < shape.filters; ++k) {
      const double* plane = grad_output + (n * shape.filters + k) * shape.out_positions();
      grad_bias[k] = std::accumulate(plane, plane + shape.out_positions(), grad_bias[k]);
    }
  }
}

}  // namespace reference
}  // namespace touchstone
