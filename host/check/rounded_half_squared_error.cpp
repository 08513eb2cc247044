// SPDX-License-Identifier: Apache-2.0
#include "host/check/rounded_half_squared_error.h"

#include <cstddef>

namespace touchstone::check {

RoundedSquaredError half_squared_error(std::span<const Rounded> outputs, std::span<const Rounded> targets,
                                       const Rounded& scale) {
  RoundedSquaredError result;
  std::vector<Rounded> squares;
  squares.reserve(outputs.size());
  result.grad_outputs.reserve(outputs.size());
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    const Rounded error = outputs[i] - targets[i];
    squares.push_back(error * error);
    result.grad_outputs.push_back(error * scale);
  }
  result.loss = Rounded::exact(0.5) * sum(squares);
  return result;
}

}  // namespace touchstone::check
