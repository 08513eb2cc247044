// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "touchstone/gaussian_operations.h"

namespace touchstone::cpu {

/// The operations on Gaussians of the cpu device on `threads` threads, at least 1.
std::unique_ptr<GaussianOperations> make_gaussian_operations(int threads);

}  // namespace touchstone::cpu
