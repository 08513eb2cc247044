// SPDX-License-Identifier: Apache-2.0
//
// The logistic sigmoid, forward and backward, in double precision, for 0 <= i < count:
//
//   forward   output[i]     = 1 / (1 + exp(-input[i]))
//   backward  grad_input[i] = grad_output[i] * s * (1 - s),  s = output[i]
//
// The backward pass takes the stored output: 1 - s is exact for s >= 1/2 (Sterbenz), and no exponential is needed.
// NaN in gives NaN out; +infinity gives 1, -infinity 0.
#include "touchstone/sigmoid.h"

#include <cmath>
#include <cstdint>

namespace touchstone::reference {

namespace {

/// For negative x the quotient is extended by exp(x): exp(-x) would overflow where the sigmoid is still representable.
double sigmoid(double x) {
  if (x >= 0) {
    return 1 / (1 + std::exp(-x));
  }
  const double e = std::exp(x);
  return e / (1 + e);
}

}  // namespace

void sigmoid_forward(std::int64_t count, const double* input, double* output) {
  for (std::int64_t i = 0; i < count; ++i) {
    output[i] = sigmoid(input[i]);
  }
}

void sigmoid_backward(std::int64_t count, const double* grad_output, const double* output, double* grad_input) {
  for (std::int64_t i = 0; i < count; ++i) {
    grad_input[i] = grad_output[i] * output[i] * (1 - output[i]);
  }
}

}  // namespace touchstone::reference
