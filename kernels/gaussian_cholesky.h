// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/handles.h"
#include "touchstone/gaussian_operations.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// As reference::gaussian_cholesky.
void gaussian_cholesky(const GaussianShape& shape, const double* covariance, double* factor, std::int32_t* failures,
                       cublasHandle_t blas, cudaStream_t stream);

}  // namespace touchstone::TOUCHSTONE_BACKEND
