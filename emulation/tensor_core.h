// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>

#include "emulation/kernel.h"

namespace touchstone::emulation {

/// What the 32 lanes of a warp bring to a product.
using TensorFactors = std::array<const TensorOperands*, 32>;

/// The product that multiply_tf32() describes, once all lanes are there. Throws Defect where a factor is no TF32
/// number.
void multiply(const TensorFactors& lanes);

}  // namespace touchstone::emulation
