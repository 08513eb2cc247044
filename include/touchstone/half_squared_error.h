// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace touchstone {

/// A mini-batch of outputs [N,elements] and of what they should be, targets [N,elements].
struct HalfSquaredErrorShape {
  std::int64_t batch = 1;
  std::int64_t elements = 1;

  [[nodiscard]] constexpr std::int64_t count() const { return batch * elements; }

  /// Throws Error unless there is at least one element and the batch is not negative.
  void validate() const;

  bool operator==(const HalfSquaredErrorShape&) const = default;
};

namespace reference {

/// losses[n] = 1/2 * sum over i of (outputs[n,i] - targets[n,i])^2, and the gradient grad_outputs[n,i] = scale *
/// (outputs[n,i] - targets[n,i]). With scale = 1 / mini-batch size the gradient is that of the mean loss. `losses`
/// holds the unscaled loss of each sample.
void half_squared_error(const HalfSquaredErrorShape& shape, const double* outputs, const double* targets, double scale,
                        double* losses, double* grad_outputs);

}  // namespace reference

namespace cpu {

/// As reference::half_squared_error in float32.
void half_squared_error(const HalfSquaredErrorShape& shape, const float* outputs, const float* targets, float scale,
                        float* losses, float* grad_outputs);

}  // namespace cpu
}  // namespace touchstone
