// SPDX-License-Identifier: Apache-2.0
//
// Softmax and cross-entropy with one-hot targets y (y_i = 1 for i = label, 0 elsewhere), in double precision, row by
// row for 0 <= n < N; i runs over 0 <= i < classes and m is the largest logit of the row:
//
//   softmax          p_i   = exp(z_i - m) / sum over j of exp(z_j - m)
//   cross-entropy    loss  = ln(sum over j of exp(z_j - m)) - (z_label - m)  =  -ln p_label
//   its gradients    dL/dp_i = -y_i / p_i
//                    dL/dz_i = p_i * (dL/dp_i - sum over j of dL/dp_j * p_j)
//   and both fused   dL/dz_i = p_i - y_i
//
// Subtracting m keeps every exponential at most 1, and the sum at least 1, so finite logits never overflow; and it
// never takes the logarithm of a probability that has become 0. The fused gradient stays right there too, where the
// two separate ones meet 0 * infinity. docs/derivations.md has the derivation.
//
// A NaN or +infinity among a row's logits makes its probabilities, loss and gradients NaN; -infinity is a probability
// of 0.
#include "touchstone/softmax_cross_entropy.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "host/reference/shape_checks.h"

namespace touchstone {

void SoftmaxCrossEntropyShape::validate() const {
  reference::require_sizes("softmax_cross_entropy", {{"batch", batch, 0}, {"classes", classes}});
}

namespace reference {

namespace {

/// The largest of a row's logits; NaN only where the first is NaN.
double largest(const double* row, std::int64_t classes) {
  double m = row[0];
  for (std::int64_t i = 1; i < classes; ++i) {
    m = row[i] > m ? row[i] : m;
  }
  return m;
}

/// sum over j of exp(z_j - m).
double sum_of_exponentials(const double* row, std::int64_t classes, double m) {
  double sum = 0;
  for (std::int64_t i = 0; i < classes; ++i) {
    sum += std::exp(row[i] - m);
  }
  return sum;
}

}  // namespace

void softmax_forward(const SoftmaxCrossEntropyShape& shape, const double* logits, double* probabilities) {
  for (std::int64_t n = 0; n < shape.batch; ++n) {
    const double* row = logits + n * shape.classes;
    const double m = largest(row, shape.classes);
    const double sum = sum_of_exponentials(row, shape.classes, m);
    for (std::int64_t i = 0; i < shape.classes; ++i) {
      probabilities[n * shape.classes + i] = std::exp(row[i] - m) / sum;
    }
  }
}

void cross_entropy_forward(const SoftmaxCrossEntropyShape& shape, const double* logits, const std::uint8_t* labels,
                           double* losses) {
  for (std::int64_t n = 0; n < shape.batch; ++n) {
    const double* row = logits + n * shape.classes;
    const double m = largest(row, shape.classes);
    losses[n] = std::log(sum_of_exponentials(row, shape.classes, m)) - (row[labels[n]] - m);
  }
}

void cross_entropy_backward(const SoftmaxCrossEntropyShape& shape, const double* probabilities,
                            const std::uint8_t* labels, double* grad_probabilities) {
  std::fill_n(grad_probabilities, shape.count(), 0.0);
  for (std::int64_t n = 0; n < shape.batch; ++n) {
    const std::int64_t label = n * shape.classes + labels[n];
    grad_probabilities[label] = -1 / probabilities[label];
  }
}

void softmax_backward(const SoftmaxCrossEntropyShape& shape, const double* grad_probabilities,
                      const double* probabilities, double* grad_logits) {
  for (std::int64_t n = 0; n < shape.batch; ++n) {
    const double* g = grad_probabilities + n * shape.classes;
    const double* p = probabilities + n * shape.classes;
    double inner_product = 0;
    for (std::int64_t i = 0; i < shape.classes; ++i) {
      inner_product += g[i] * p[i];
    }
    for (std::int64_t i = 0; i < shape.classes; ++i) {
      grad_logits[n * shape.classes + i] = p[i] * (g[i] - inner_product);
    }
  }
}

void softmax_cross_entropy(const SoftmaxCrossEntropyShape& shape, const double* logits, const std::uint8_t* labels,
                           double scale, double* losses, double* grad_logits) {
  cross_entropy_forward(shape, logits, labels, losses);
  softmax_forward(shape, logits, grad_logits);
  for (std::int64_t n = 0; n < shape.batch; ++n) {
    double* row = grad_logits + n * shape.classes;
    row[labels[n]] -= 1;
    for (std::int64_t i = 0; i < shape.classes; ++i) {
      row[i] *= scale;
    }
  }
}

}  // namespace reference
}  // namespace touchstone
