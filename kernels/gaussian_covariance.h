// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/handles.h"
#include "touchstone/gaussian_operations.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// The doubles of workspace that gaussian_covariance needs.
[[nodiscard]] std::int64_t gaussian_covariance_workspace(const GaussianSamples& samples);

/// As reference::gaussian_covariance. `offsets` are those of `samples`, in device memory.
void gaussian_covariance(const GaussianSamples& samples, CovarianceDivisor divisor, const std::int64_t* offsets,
                         const double* values, double* mean, double* covariance, double* workspace, cublasHandle_t blas,
                         cudaStream_t stream);

}  // namespace touchstone::TOUCHSTONE_BACKEND
