// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "host/check/rounded.h"

namespace touchstone::check {

/// The loss of one sample and its gradients by the logits.
struct RoundedLoss {
  Rounded loss;
  std::vector<Rounded> grad_logits;
};

/// Softmax cross-entropy of one row, as loss = ln S - (z_label - m) and scale * (e_i * (1 / S) - y_i) with
/// e_i = exp(z_i - m), S their sum in any order and m the largest logit: what reference::softmax_cross_entropy gives,
/// with bounds. Any m gives the same true result, so that the rounding of m itself costs nothing.
RoundedLoss softmax_cross_entropy(std::span<const Rounded> logits, std::int64_t label, const Rounded& scale);

}  // namespace touchstone::check
