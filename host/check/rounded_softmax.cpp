// SPDX-License-Identifier: Apache-2.0
#include "host/check/rounded_softmax.h"

#include <algorithm>
#include <cstddef>

namespace touchstone::check {

RoundedLoss softmax_cross_entropy(std::span<const Rounded> logits, std::int64_t label, const Rounded& scale) {
  const auto by_value = [](const Rounded& a, const Rounded& b) { return a.value < b.value; };
  const Rounded largest = Rounded::exact(std::max_element(logits.begin(), logits.end(), by_value)->value);

  std::vector<Rounded> exponentials;
  exponentials.reserve(logits.size());
  for (const Rounded& logit : logits) exponentials.push_back(exp(logit - largest));
  const Rounded total = sum(exponentials);

  RoundedLoss result;
  result.loss = log(total) - (logits[static_cast<std::size_t>(label)] - largest);
  result.grad_logits.reserve(logits.size());
  for (std::size_t i = 0; i < logits.size(); ++i) {
    const Rounded probability = exponentials[i] * (Rounded::exact(1) / total);
    const Rounded target = Rounded::exact(static_cast<std::int64_t>(i) == label ? 1 : 0);
    result.grad_logits.push_back((probability - target) * scale);
  }
  return result;
}

}  // namespace touchstone::check
