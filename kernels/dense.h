// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cublas_v2.h>

#include "kernels/backend.h"
#include "touchstone/dense.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// As reference::dense_forward in float32, on device memory; queued on `stream`, to which `blas` is bound. `bias` may
/// be nullptr.
void dense_forward(const DenseShape& shape, const float* input, const float* weights, const float* bias, float* output,
                   cublasHandle_t blas, cudaStream_t stream);

/// As reference::dense_backward_data.
void dense_backward_data(const DenseShape& shape, const float* grad_output, const float* weights, float* grad_input,
                         cublasHandle_t blas);

/// As reference::dense_backward_weights; with `add`, the sum is added to what `grad_weights` holds.
void dense_backward_weights(const DenseShape& shape, const float* grad_output, const float* input, bool add,
                            float* grad_weights, cublasHandle_t blas, cudaStream_t stream);

/// As reference::dense_backward_bias.
void dense_backward_bias(const DenseShape& shape, const float* grad_output, float* grad_bias, cudaStream_t stream);

}  // namespace touchstone::TOUCHSTONE_BACKEND
