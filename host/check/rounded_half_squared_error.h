// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <vector>

#include "host/check/rounded.h"

namespace touchstone::check {

/// The loss of one sample and its gradients by the outputs.
struct RoundedSquaredError {
  Rounded loss;
  std::vector<Rounded> grad_outputs;
};

/// Half the squared error of one row, as 1/2 * S with S the sum of (x' - x)^2 in any order, and (x' - x) * scale: what
/// reference::half_squared_error gives, with bounds.
RoundedSquaredError half_squared_error(std::span<const Rounded> outputs, std::span<const Rounded> targets,
                                       const Rounded& scale);

}  // namespace touchstone::check
