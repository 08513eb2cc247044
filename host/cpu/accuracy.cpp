// SPDX-License-Identifier: Apache-2.0
//
// Counts the rows of logits whose largest element, the first of equals, stands at the row's label.
#include "touchstone/accuracy.h"

#include <cstdint>

namespace touchstone::cpu {

namespace {

std::int64_t first_largest(const float* row, std::int64_t count) {
  std::int64_t largest = 0;
  for (std::int64_t i = 1; i < count; ++i) {
    if (row[i] > row[largest]) {
      largest = i;
    }
  }
  return largest;
}

}  // namespace

std::int64_t accuracy(const SoftmaxCrossEntropyShape& shape, const float* logits, const std::uint8_t* labels) {
  shape.validate();
  std::int64_t correct = 0;
  for (std::int64_t n = 0; n < shape.batch; ++n) {
    if (first_largest(logits + n * shape.classes, shape.classes) == labels[n]) {
      ++correct;
    }
  }
  return correct;
}

}  // namespace touchstone::cpu
