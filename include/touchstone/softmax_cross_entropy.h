// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace touchstone {

/// A mini-batch of logits [N,classes] with labels [N], each label in 0..classes-1.
struct SoftmaxCrossEntropyShape {
  std::int64_t batch = 1;
  std::int64_t classes = 1;

  [[nodiscard]] constexpr std::int64_t count() const { return batch * classes; }

  /// Throws Error unless there is at least one class and the batch is not negative.
  void validate() const;

  bool operator==(const SoftmaxCrossEntropyShape&) const = default;
};

namespace reference {

/// p = softmax(z), from z - max(z). probabilities [N,classes].
void softmax_forward(const SoftmaxCrossEntropyShape& shape, const double* logits, double* probabilities);

/// losses[n] = -ln softmax(z)[label], as log(sum exp(z - max)) - (z_label - max): finite for any finite logits.
void cross_entropy_forward(const SoftmaxCrossEntropyShape& shape, const double* logits, const std::uint8_t* labels,
                           double* losses);

/// dL/dp_i = -y_i / p_i, unscaled: the first of the two separate gradients of docs/derivations.md.
void cross_entropy_backward(const SoftmaxCrossEntropyShape& shape, const double* probabilities,
                            const std::uint8_t* labels, double* grad_probabilities);

/// dL/dz = p * (dL/dp - <dL/dp, p>), row by row: the second of the two separate gradients.
void softmax_backward(const SoftmaxCrossEntropyShape& shape, const double* grad_probabilities,
                      const double* probabilities, double* grad_logits);

/// losses[n] as above and the fused gradient grad_logits[n,i] = scale * (p_i - y_i). With scale = 1 / mini-batch size
/// the gradient is that of the mean loss. `losses` holds the unscaled loss of each sample.
void softmax_cross_entropy(const SoftmaxCrossEntropyShape& shape, const double* logits, const std::uint8_t* labels,
                           double scale, double* losses, double* grad_logits);

}  // namespace reference

namespace cpu {

/// As reference::softmax_cross_entropy in float32.
void softmax_cross_entropy(const SoftmaxCrossEntropyShape& shape, const float* logits, const std::uint8_t* labels,
                           float scale, float* losses, float* grad_logits);

}  // namespace cpu
}  // namespace touchstone
