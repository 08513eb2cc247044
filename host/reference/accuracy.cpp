// SPDX-License-Identifier: Apache-2.0
//
// The number of rows n, 0 <= n < N, with argmax over i of logits[n,i] = labels[n].
//
// Ties: the first of equals is the prediction, as in max-pool. NaN: a later logit is chosen
// only where it compares greater, so a NaN wins where it comes first and is passed over elsewhere (the row's loss is
// NaN in either case, which stops a training run).
#include "touchstone/accuracy.h"

#include <cstdint>

namespace touchstone::reference {

std::int64_t accuracy(const SoftmaxCrossEntropyShape& shape, const double* logits, const std::uint8_t* labels) {
  std::int64_t correct = 0;
  for (std::int64_t n = 0; n < shape.batch; ++n) {
    const double* row = logits + n * shape.classes;
    std::int64_t prediction = 0;
    for (std::int64_t i = 1; i < shape.classes; ++i) {
      prediction = row[i] > row[prediction] ? i : prediction;
    }
    correct += prediction == labels[n] ? 1 : 0;
  }
  return correct;
}

}  // namespace touchstone::reference
