// SPDX-License-Identifier: Apache-2.0
//
// The dense (fully connected) layer, forward and backward, in double precision:
//
//   forward            output[n,o]       = bias[o] + sum over i of input[n,i] * weights[o,i]
//   backward, data     grad_input[n,i]   = sum over o of grad_output[n,o] * weights[o,i]
//   backward, weights  grad_weights[o,i] = sum over n of grad_output[n,o] * input[n,i]
//   backward, bias     grad_bias[o]      = sum over n of grad_output[n,o]
//
//   0 <= n < N, 0 <= i < in, 0 <= o < out; where weights[o,i] stands: DenseShape::weight_at(). Sums run in ascending
//   order; NaN and infinity spread as IEEE arithmetic has it.
#include "touchstone/dense.h"

#include <algorithm>
#include <cstdint>

#include "host/reference/shape_checks.h"

namespace touchstone {

void DenseShape::validate() const {
  reference::require_sizes("dense",
                           {{"batch", batch, 0}, {"in_features", in_features}, {"out_features", out_features}});
  reference::require_countable("dense", "multiply-adds", {std::max<std::int64_t>(batch, 1), in_features, out_features});
}

namespace reference {

void dense_forward(const DenseShape& shape, const double* input, const double* weights, const double* bias,
                   double* output) {
  for (std::int64_t n = 0; n < shape.batch; ++n) {
    for (std::int64_t o = 0; o < shape.out_features; ++o) {
      double sum = bias == nullptr ? 0.0 : bias[o];
      for (std::int64_t i = 0; i < shape.in_features; ++i) {
        sum += input[n * shape.in_features + i] * weights[shape.weight_at(o, i)];
      }
      output[n * shape.out_features + o] = sum;
    }
  }
}

void dense_backward_data(const DenseShape& shape, const double* grad_output, const double* weights,
                         double* grad_input) {
  std::fill_n(grad_input, shape.input_count(), 0.0);
  for (std::int64_t n = 0; n < shape.batch; ++n) {
    for (std::int64_t o = 0; o < shape.out_features; ++o) {
      const double gradient = grad_output[n * shape.out_features + o];
      for (std::int64_t i = 0; i < shape.in_features; ++i) {
        grad_input[n * shape.in_features + i] += gradient * weights[shape.weight_at(o, i)];
      }
    }
  }
}

void dense_backward_weights(const DenseShape& shape, const double* grad_output, const double* input,
                            double* grad_weights) {
  std::fill_n(grad_weights, shape.weights_count(), 0.0);
  for (std::int64_t n = 0; n < shape.batch; ++n) {
    for (std::int64_t o = 0; o < shape.out_features; ++o) {
      const double gradient = grad_output[n * shape.out_features + o];
      for (std::int64_t i = 0; i < shape.in_features; ++i) {
        grad_weights[shape.weight_at(o, i)] += gradient * input[n * shape.in_features + i];
      }
    }
  }
}

void dense_backward_bias(const DenseShape& shape, const double* grad_output, double* grad_bias) {
  std::fill_n(grad_bias, shape.out_features, 0.0);
  for (std::int64_t n = 0; n < shape.batch; ++n) {
    for (std::int64_t o = 0; o < shape.out_features; ++o) {
      grad_bias[o] += grad_output[n * shape.out_features + o];
    }
  }
}

}  // namespace reference
}  // namespace touchstone
