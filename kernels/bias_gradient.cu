// SPDX-License-Identifier: Apache-2.0
//
// The bias gradient of a convolution, and of a convolution with a sigmoid behind it: the sum of each filter's planes
// over samples and positions. Memory-bound: an addition for each 4 bytes read, with the sigmoid 4 FLOPs for 8 bytes.
//
// Two stages: blocks add some samples each, then reduction.cu adds the blocks' sums in order.
#include <algorithm>

#include "kernels/bias_gradient.h"
#include "kernels/check.h"
#include "kernels/geometry.h"
#include "kernels/launch.h"
#include "kernels/reduction.h"
#include "kernels/shared_memory.h"
#include "kernels/sigmoid_value.h"

namespace touchstone::TOUCHSTONE_BACKEND {
namespace {

constexpr int threads = 256;
constexpr int warps = threads / warp_size;

// Block: one filter (x) over some samples (y). Thread: every 256th of their elements. Shared memory: a float a warp.
// `output` nullptr: there is no sigmoid.
__global__ void __launch_bounds__(threads)
    bias_gradient_kernel(std::int64_t batch, std::int64_t block_samples, int filters, int positions,
                         const float* grad_output, const float* output, float* partials) {
  SharedMemory shared;
  float* warp_sums = shared.take<float>(warps);
  const int thread = static_cast<int>(threadIdx.x);
  const int filter = static_cast<int>(blockIdx.x);
  const std::int64_t first = std::int64_t{blockIdx.y} * block_samples;
  const std::int64_t elements = (min(first + block_samples, batch) - first) * positions;

  float sum = 0.0F;
  for (std::int64_t element = thread; element < elements; element += threads) {
    const std::int64_t sample = element / positions;
    const std::int64_t position = element - sample * positions;
    const std::int64_t index = ((first + sample) * filters + filter) * positions + position;
    sum += output == nullptr ? grad_output[index] : sigmoid_gradient(grad_output[index], output[index]);
  }
  sum = warp_sum(sum);
  if (thread % warp_size == 0) {
    warp_sums[thread / warp_size] = sum;
  }
  __syncthreads();  // each warp has written its sum
  if (thread == 0) {
    float total = 0.0F;
    for (int warp = 0; warp < warps; ++warp) {
      total += warp_sums[warp];
    }
    partials[std::int64_t{blockIdx.y} * filters + filter] = total;
  }
}

// Samples that one block adds; from the shape alone, so that the order is the same everywhere.
std::int64_t block_samples_of(const BiasedPlanes& planes) {
  constexpr std::int64_t wanted_blocks = 256;
  const std::int64_t splits = std::clamp<std::int64_t>(wanted_blocks / planes.filters, 1, planes.batch);
  return divide_up(planes.batch, splits);
}

}  // namespace

std::int64_t bias_gradient_workspace(const BiasedPlanes& planes) {
  return planes.batch == 0 ? 0 : divide_up(planes.batch, block_samples_of(planes)) * planes.filters;
}

void bias_gradient(const BiasedPlanes& planes, const float* grad_output, const float* output, float* grad_bias,
                   float* workspace, cudaStream_t stream) {
  if (planes.batch == 0) {
    check(cudaMemsetAsync(grad_bias, 0, static_cast<std::size_t>(planes.filters) * sizeof(float), stream),
          "cudaMemsetAsync");
    return;
  }
  const std::int64_t block_samples = block_samples_of(planes);
  const std::int64_t splits = divide_up(planes.batch, block_samples);
  launch(bias_gradient_kernel, dim3(grid_size(planes.filters), static_cast<unsigned>(splits)), dim3(threads),
         SharedLayout().take<float>(warps).bytes(), stream, planes.batch, block_samples,
         narrow(planes.filters, "the number of filters"), narrow(planes.positions, "the output plane of a convolution"),
         grad_output, output, workspace);
  sum_rows(splits, planes.filters, workspace, grad_bias, stream);
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
