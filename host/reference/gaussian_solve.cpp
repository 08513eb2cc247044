// SPDX-License-Identifier: Apache-2.0
//
// Forward substitution with several triangular matrices (formula: gaussian_operations.h).
#include <cstdint>

#include "host/reference/shape_checks.h"
#include "touchstone/gaussian_operations.h"

namespace touchstone {

void GaussianSolveShape::validate() const {
  reference::require_sizes("gaussian_solve",
                           {{"gaussians", gaussians}, {"dimensions", dimensions}, {"columns", columns}});
  reference::require_countable("gaussian_solve", "multiply-adds", {gaussians, dimensions, dimensions, columns});
}

namespace reference {

void gaussian_solve(const GaussianSolveShape& shape, const double* factor, const double* right_sides,
                    double* solution) {
  shape.validate();
  const std::int64_t dimensions = shape.dimensions;
  const std::int64_t columns = shape.columns;
  for (std::int64_t gaussian = 0; gaussian < shape.gaussians; ++gaussian) {
    const double* l = factor + gaussian * dimensions * dimensions;
    const double* b = right_sides + gaussian * dimensions * columns;
    double* x = solution + gaussian * dimensions * columns;
    for (std::int64_t r = 0; r < dimensions; ++r) {
      for (std::int64_t m = 0; m < columns; ++m) {
        double value = b[r * columns + m];
        for (std::int64_t k = 0; k < r; ++k) value -= l[r * dimensions + k] * x[k * columns + m];
        x[r * columns + m] = value / l[r * dimensions + r];
      }
    }
  }
}

}  // namespace reference
}  // namespace touchstone
