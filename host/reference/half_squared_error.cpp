// SPDX-License-Identifier: Apache-2.0
//
// Half the squared error of each sample and its gradient, in double precision, row by row for 0 <= n < N; i runs over
// 0 <= i < elements:
//
//   loss      L_n = 1/2 * sum over i of (x'_ni - x_ni)^2
//   gradient  dL_n/dx'_ni = x'_ni - x_ni
//
// docs/derivations.md has the derivation. NaN and infinity spread as IEEE arithmetic has it.
#include "touchstone/half_squared_error.h"

#include <cstdint>

#include "host/reference/shape_checks.h"

namespace touchstone {

void HalfSquaredErrorShape::validate() const {
  reference::require_sizes("half_squared_error", {{"batch", batch, 0}, {"elements", elements}});
}

namespace reference {

void half_squared_error(const HalfSquaredErrorShape& shape, const double* outputs, const double* targets, double scale,
                        double* losses, double* grad_outputs) {
  for (std::int64_t n = 0; n < shape.batch; ++n) {
    double sum = 0;
    for (std::int64_t i = n * shape.elements; i < (n + 1) * shape.elements; ++i) {
      const double error = outputs[i] - targets[i];
      sum += error * error;
      grad_outputs[i] = scale * error;
    }
    losses[n] = 0.5 * sum;
  }
}

}  // namespace reference
}  // namespace touchstone
