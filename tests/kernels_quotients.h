// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "kernels/backend.h"

/// Kernels of the tests' own, for what only a kernel can call: kernels/quotient.h.
namespace touchstone::TOUCHSTONE_BACKEND {

/// By quotient().
[[nodiscard]] std::vector<float> quotients(const std::vector<float>& numerators, const std::vector<float>& divisors);

/// By refine_quotient(), from estimates of the reciprocals that are those of the device times 1 + `error`.
[[nodiscard]] std::vector<float> refined_quotients(const std::vector<float>& numerators,
                                                   const std::vector<float>& divisors, float error);

}  // namespace touchstone::TOUCHSTONE_BACKEND
