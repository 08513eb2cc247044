// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/handles.h"
#include "touchstone/gaussian_operations.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// The doubles of workspace that gaussian_pairs needs.
[[nodiscard]] std::int64_t gaussian_pairs_workspace(const GaussianShape& shape);

/// As reference::gaussian_pairs.
void gaussian_pairs(const GaussianShape& shape, const double* mean, const double* factor, double* divergence,
                    double* workspace, cublasHandle_t blas, cudaStream_t stream);

}  // namespace touchstone::TOUCHSTONE_BACKEND
