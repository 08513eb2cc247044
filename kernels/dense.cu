// SPDX-License-Identifier: Apache-2.0
//
// The dense layer, forward and backward (formulas: include/touchstone/dense.h): three matrix products through cuBLAS,
// of 2 * N * out * in FLOPs each. cuBLAS counts columns first, so a row-major [rows,columns] matrix is its transpose
// there:
//
//   output^T [out,N]    = weights [out,in] * input^T [in,N]           + the bias, which the output is filled with first
//   grad_input^T [in,N] = weights^T [in,out] * grad_output^T [out,N]
//   grad_weights^T [in,out] = input^T [in,N] * grad_output [N,out]    + what is there, where it is to be added
//
// Transposed weights are their own transpose there: their products take the other operation, and their gradient's two
// factors change places.
//
// The bias gradient sums the rows of grad_output (reduction.cu).
#include "kernels/check.h"
#include "kernels/dense.h"
#include "kernels/geometry.h"
#include "kernels/handles.h"
#include "kernels/launch.h"
#include "kernels/reduction.h"

namespace touchstone::TOUCHSTONE_BACKEND {
namespace {

constexpr int threads = 256;

// Thread: one output.
__global__ void __launch_bounds__(threads)
    fill_with_bias_kernel(std::int64_t count, int out_features, const float* bias, float* output) {
  const std::int64_t i = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  if (i < count) {
    output[i] = bias[i % out_features];
  }
}

// The sizes as cuBLAS takes them.
struct Sizes {
  int batch;
  int in_features;
  int out_features;
  int weights_pitch;  // from one row of the weights to the next
};

Sizes sizes_of(const DenseShape& shape) {
  const int in_features = narrow(shape.in_features, "a dense layer's inputs");
  const int out_features = narrow(shape.out_features, "a dense layer's outputs");
  return {narrow(shape.batch, "the batch of a dense layer"), in_features, out_features,
          shape.transposed_weights ? out_features : in_features};
}

}  // namespace

void dense_forward(const DenseShape& shape, const float* input, const float* weights, const float* bias, float* output,
                   cublasHandle_t blas, cudaStream_t stream) {
  shape.validate();
  if (shape.batch == 0) {
    return;
  }
  const Sizes s = sizes_of(shape);
  if (bias != nullptr) {
    launch(fill_with_bias_kernel, dim3(grid_size(divide_up<std::int64_t>(shape.output_count(), threads))),
           dim3(threads), 0, stream, shape.output_count(), s.out_features, bias, output);
  }
  const float alpha = 1.0F;
  const float beta = bias == nullptr ? 0.0F : 1.0F;
  check(
      cublasSgemm(blas, shape.transposed_weights ? CUBLAS_OP_N : CUBLAS_OP_T, CUBLAS_OP_N, s.out_features, s.batch,
                  s.in_features, &alpha, weights, s.weights_pitch, input, s.in_features, &beta, output, s.out_features),
      "cublasSgemm");
}

void dense_backward_data(const DenseShape& shape, const float* grad_output, const float* weights, float* grad_input,
                         cublasHandle_t blas) {
  shape.validate();
  if (shape.batch == 0) {
    return;
  }
  const Sizes s = sizes_of(shape);
  const float alpha = 1.0F;
  const float beta = 0.0F;
  check(cublasSgemm(blas, shape.transposed_weights ? CUBLAS_OP_T : CUBLAS_OP_N, CUBLAS_OP_N, s.in_features, s.batch,
                    s.out_features, &alpha, weights, s.weights_pitch, grad_output, s.out_features, &beta, grad_input,
                    s.in_features),
        "cublasSgemm");
}

void dense_backward_weights(const DenseShape& shape, const float* grad_output, const float* input, bool add,
                            float* grad_weights, cublasHandle_t blas, cudaStream_t stream) {
  shape.validate();
  if (shape.batch == 0 && add) {
    return;
  }
  if (shape.batch == 0) {
    check(cudaMemsetAsync(grad_weights, 0, static_cast<std::size_t>(shape.weights_count()) * sizeof(float), stream),
          "cudaMemsetAsync");
    return;
  }
  const Sizes s = sizes_of(shape);
  const float alpha = 1.0F;
  const float beta = add ? 1.0F : 0.0F;
  const bool swapped = shape.transposed_weights;
  const int rows = swapped ? s.out_features : s.in_features;
  const int columns = swapped ? s.in_features : s.out_features;
  check(cublasSgemm(blas, CUBLAS_OP_N, CUBLAS_OP_T, rows, columns, s.batch, &alpha, swapped ? grad_output : input, rows,
                    swapped ? input : grad_output, columns, &beta, grad_weights, s.weights_pitch),
        "cublasSgemm");
}

void dense_backward_bias(const DenseShape& shape, const float* grad_output, float* grad_bias, cudaStream_t stream) {
  shape.validate();
  sum_rows(shape.batch, shape.out_features, grad_output, grad_bias, stream);
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
