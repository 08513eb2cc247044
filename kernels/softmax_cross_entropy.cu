// SPDX-License-Identifier: Apache-2.0
//
// Softmax and cross-entropy with their fused gradient, row by row (formulas:
// include/touchstone/softmax_cross_entropy.h):
//
//   loss = log(sum exp(z - max)) - (z_label - max),   gradient = scale * (exp(z - max) / sum - y)
//
// The largest logit is subtracted first: no exponential overflows, and the sum is at least 1. Memory-bound: a row is
// read three times, twice from the cache, and written once; per class two exponentials, so that rows of any length
// need no memory between the passes.
#include <limits>

#include "kernels/geometry.h"
#include "kernels/launch.h"
#include "kernels/row_lanes.h"
#include "kernels/softmax_cross_entropy.h"

namespace touchstone::TOUCHSTONE_BACKEND {
namespace {

constexpr int threads = 128;

template <int LANES>
__device__ float lanes_max(float value) {
#pragma unroll
  for (int offset = LANES / 2; offset > 0; offset /= 2) {
    value = fmaxf(value, __shfl_xor_sync(full_warp, value, offset));
  }
  return value;
}

// LANES neighbouring threads: one row; thread: every LANES-th class. Rows beyond the batch repeat the last one, so
// that all lanes of a warp take part in its shuffles, and write nothing.
template <int LANES>
__global__ void __launch_bounds__(threads)
    softmax_cross_entropy_kernel(std::int64_t batch, int classes, const float* logits, const std::uint8_t* labels,
                                 float scale, float* losses, float* grad_logits, const StepCursor* cursor) {
  const std::int64_t wanted_row = (std::int64_t{blockIdx.x} * threads + threadIdx.x) / LANES;
  const std::int64_t row = min(wanted_row, batch - 1);
  const int lane = static_cast<int>(threadIdx.x) % LANES;
  const float* z = logits + row * classes;

  float largest = -std::numeric_limits<float>::infinity();
  for (int i = lane; i < classes; i += LANES) {
    largest = fmaxf(largest, z[i]);
  }
  largest = lanes_max<LANES>(largest);

  float sum = 0.0F;
  for (int i = lane; i < classes; i += LANES) {
    sum += expf(z[i] - largest);
  }
  sum = lanes_sum<LANES>(sum);

  if (wanted_row >= batch) {
    return;
  }
  const int label = labels[row];
  if (lane == 0) {
    losses[first_sample(cursor) + row] = logf(sum) - (z[label] - largest);
  }
  if (grad_logits != nullptr) {
    for (int i = lane; i < classes; i += LANES) {
      const float probability = expf(z[i] - largest) / sum;
      grad_logits[row * classes + i] = scale * (i == label ? probability - 1.0F : probability);
    }
  }
}

}  // namespace

void softmax_cross_entropy(const SoftmaxCrossEntropyShape& shape, const float* logits, const std::uint8_t* labels,
                           float scale, float* losses, float* grad_logits, const StepCursor* cursor,
                           cudaStream_t stream) {
  shape.validate();
  if (shape.batch == 0) {
    return;
  }
  const int classes = narrow(shape.classes, "the number of classes");
  const int lanes = lanes_per_row(shape.classes);
  const dim3 grid(grid_size(divide_up<std::int64_t>(shape.batch * lanes, threads)));
  with_lanes(lanes, [&](auto constant) {
    launch(softmax_cross_entropy_kernel<decltype(constant)::value>, grid, dim3(threads), 0, stream, shape.batch,
           classes, logits, labels, scale, losses, grad_logits, cursor);
  });
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
