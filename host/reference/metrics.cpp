// SPDX-License-Identifier: Apache-2.0
#include "touchstone/executor.h"

namespace touchstone {

Metrics& Metrics::operator+=(const Metrics& other) {
  loss_sum += other.loss_sum;
  correct += other.correct;
  count += other.count;
  if (first_non_finite_step < 0) {
    first_non_finite_step = other.first_non_finite_step;
  }
  return *this;
}

}  // namespace touchstone
