// SPDX-License-Identifier: Apache-2.0
//
// The two-dimensional convolution, forward and backward: which kernel computes it, and the bias gradient
// (formulas and layouts: include/touchstone/conv2d.h).
//
//   forward           2 * N * K * C * taps * positions FLOPs; reads input and filters, writes output
//   backward data     the same number, on the gradients
//   backward filters  the same number, in two stages: parts of the sum over the samples, then their sum in a fixed
//   order backward bias     N * K * positions additions; reads the gradient once
//
// Stride 1 with square kernels of 1, 3, 5 and 7 goes to the tiled kernels (conv2d_tiled.cu, conv2d_filters_tiled.cu),
// everything else to the general one (conv2d_general.cu).
#include <algorithm>

#include "kernels/check.h"
#include "kernels/conv2d.h"
#include "kernels/conv2d_filters_tiled.h"
#include "kernels/conv2d_general.h"
#include "kernels/conv2d_tiled.h"
#include "kernels/geometry.h"
#include "kernels/launch.h"
#include "kernels/reduction.h"
#include "kernels/shared_memory.h"

namespace touchstone::TOUCHSTONE_BACKEND {
namespace {

constexpr int bias_threads = 256;
constexpr int bias_warps = bias_threads / warp_size;

// Block: one filter (x) over some samples (y). Thread: every 256th of their elements. Shared memory: a float a warp.
__global__ void __launch_bounds__(bias_threads)
    conv2d_bias_kernel(std::int64_t batch, std::int64_t block_samples, int filters, int positions,
                       const float* grad_output, float* partials) {
  SharedMemory shared;
  float* warp_sums = shared.take<float>(bias_warps);
  const int thread = static_cast<int>(threadIdx.x);
  const int filter = static_cast<int>(blockIdx.x);
  const std::int64_t first = std::int64_t{blockIdx.y} * block_samples;
  const std::int64_t elements = (min(first + block_samples, batch) - first) * positions;

  float sum = 0.0F;
  for (std::int64_t element = thread; element < elements; element += bias_threads) {
    const std::int64_t sample = element / positions;
    const std::int64_t position = element - sample * positions;
    sum += grad_output[((first + sample) * filters + filter) * positions + position];
  }
  sum = warp_sum(sum);
  if (thread % warp_size == 0) {
    warp_sums[thread / warp_size] = sum;
  }
  __syncthreads();  // each warp has written its sum
  if (thread == 0) {
    float total = 0.0F;
    for (int warp = 0; warp < bias_warps; ++warp) {
      total += warp_sums[warp];
    }
    partials[std::int64_t{blockIdx.y} * filters + filter] = total;
  }
}

// Samples that one block of the bias gradient adds; from the shape alone, so that the order is the same everywhere.
std::int64_t bias_block_samples(const Conv2dShape& shape) {
  constexpr std::int64_t wanted_blocks = 256;
  const std::int64_t splits = std::clamp<std::int64_t>(wanted_blocks / shape.filters, 1, shape.batch);
  return divide_up(shape.batch, splits);
}

std::int64_t filters_splits(const Conv2dShape& shape) {
  return conv2d_is_tiled(shape) ? plan_conv2d_filters(shape, true).splits : conv2d_general_splits(shape);
}

}  // namespace

void conv2d_forward(const Conv2dShape& shape, const float* input, const float* filters, const float* bias,
                    float* output, cudaStream_t stream) {
  shape.validate();
  if (shape.batch == 0) {
    return;
  }
  if (conv2d_is_tiled(shape)) {
    conv2d_tiled(shape, input, filters, bias, output, false, stream);
  } else {
    conv2d_general_forward(shape, input, filters, bias, output, stream);
  }
}

void conv2d_backward_data(const Conv2dShape& shape, const float* grad_output, const float* filters, float* grad_input,
                          cudaStream_t stream) {
  shape.validate();
  if (shape.batch == 0) {
    return;
  }
  if (conv2d_is_tiled(shape)) {
    conv2d_tiled(conv2d_data_gradient_shape(shape), grad_output, filters, nullptr, grad_input, true, stream);
  } else {
    conv2d_general_backward_data(shape, grad_output, filters, grad_input, stream);
  }
}

std::int64_t conv2d_backward_filters_workspace(const Conv2dShape& shape) {
  return shape.batch == 0 ? 0 : filters_splits(shape) * shape.filters_count();
}

void conv2d_backward_filters(const Conv2dShape& shape, const float* grad_output, const float* input,
                             float* grad_filters, float* workspace, cudaStream_t stream) {
  shape.validate();
  if (shape.batch == 0) {
    check(cudaMemsetAsync(grad_filters, 0, static_cast<std::size_t>(shape.filters_count()) * sizeof(float), stream),
          "cudaMemsetAsync");
    return;
  }
  if (conv2d_is_tiled(shape)) {
    conv2d_filters_tiled(shape, grad_output, input, workspace, stream);
  } else {
    conv2d_general_backward_filters(shape, grad_output, input, workspace, stream);
  }
  sum_rows(filters_splits(shape), shape.filters_count(), workspace, grad_filters, stream);
}

std::int64_t conv2d_backward_bias_workspace(const Conv2dShape& shape) {
  return shape.batch == 0 ? 0 : divide_up(shape.batch, bias_block_samples(shape)) * shape.filters;
}

void conv2d_backward_bias(const Conv2dShape& shape, const float* grad_output, float* grad_bias, float* workspace,
                          cudaStream_t stream) {
  shape.validate();
  if (shape.batch == 0) {
    check(cudaMemsetAsync(grad_bias, 0, static_cast<std::size_t>(shape.filters) * sizeof(float), stream),
          "cudaMemsetAsync");
    return;
  }
  const std::int64_t block_samples = bias_block_samples(shape);
  const std::int64_t splits = divide_up(shape.batch, block_samples);
  launch(conv2d_bias_kernel, dim3(grid_size(shape.filters), static_cast<unsigned>(splits)), dim3(bias_threads),
         SharedLayout().take<float>(bias_warps).bytes(), stream, shape.batch, block_samples,
         narrow(shape.filters, "the number of filters"),
         narrow(shape.out_positions(), "the output plane of a convolution"), grad_output, workspace);
  sum_rows(splits, shape.filters, workspace, grad_bias, stream);
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
