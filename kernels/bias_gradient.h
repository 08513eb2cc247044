// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/backend.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// What the bias of a convolution is added to: planes [batch,filters,positions], one for each sample and filter.
struct BiasedPlanes {
  std::int64_t batch = 0;
  std::int64_t filters = 1;
  std::int64_t positions = 1;
};

/// Floats of workspace that bias_gradient needs.
[[nodiscard]] std::int64_t bias_gradient_workspace(const BiasedPlanes& planes);

/// grad_bias[k] = sum over samples and positions of grad_output[n,k,position] or, where `output` is not nullptr, of the
/// gradient before a sigmoid that gave `output`. Partial sums go to `workspace` and are added in a fixed order.
void bias_gradient(const BiasedPlanes& planes, const float* grad_output, const float* output, float* grad_bias,
                   float* workspace, cudaStream_t stream);

}  // namespace touchstone::TOUCHSTONE_BACKEND
