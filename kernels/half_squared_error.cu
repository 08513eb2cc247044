// SPDX-License-Identifier: Apache-2.0
//
// Half the squared error of each sample and its gradient, row by row of outputs [N,elements] and targets [N,elements]
// (formulas: include/touchstone/half_squared_error.h):
//
//   loss = 1/2 * sum of (x' - x)^2,   gradient = scale * (x' - x)
//
// A NaN in a row makes its loss NaN. Memory-bound: 4 FLOPs an element, which is read twice and written once (12 bytes).
#include "kernels/geometry.h"
#include "kernels/half_squared_error.h"
#include "kernels/launch.h"
#include "kernels/row_lanes.h"

namespace touchstone::TOUCHSTONE_BACKEND {
namespace {

constexpr int threads = 128;

// LANES neighbouring threads: one row; thread: every LANES-th element. Rows beyond the batch repeat the last one, so
// that all lanes of a warp take part in its shuffles, and write nothing.
template <int LANES>
__global__ void __launch_bounds__(threads)
    half_squared_error_kernel(std::int64_t batch, int elements, const float* outputs, const float* targets, float scale,
                              float* losses, float* grad_outputs, const StepCursor* cursor) {
  const std::int64_t wanted_row = (std::int64_t{blockIdx.x} * threads + threadIdx.x) / LANES;
  const std::int64_t row = min(wanted_row, batch - 1);
  const int lane = static_cast<int>(threadIdx.x) % LANES;
  const bool writes_gradient = grad_outputs != nullptr && wanted_row < batch;

  float sum = 0.0F;
  for (int i = lane; i < elements; i += LANES) {
    const std::int64_t place = row * elements + i;
    const float error = outputs[place] - targets[place];
    sum += error * error;
    if (writes_gradient) {
      grad_outputs[place] = scale * error;
    }
  }
  sum = lanes_sum<LANES>(sum);
  if (lane == 0 && wanted_row < batch) {
    losses[first_sample(cursor) + row] = 0.5F * sum;
  }
}

}  // namespace

void half_squared_error(const HalfSquaredErrorShape& shape, const float* outputs, const float* targets, float scale,
                        float* losses, float* grad_outputs, const StepCursor* cursor, cudaStream_t stream) {
  shape.validate();
  if (shape.batch == 0) {
    return;
  }
  const int elements = narrow(shape.elements, "the number of elements");
  const int lanes = lanes_per_row(shape.elements);
  const dim3 grid(grid_size(divide_up<std::int64_t>(shape.batch * lanes, threads)));
  with_lanes(lanes, [&](auto constant) {
    launch(half_squared_error_kernel<decltype(constant)::value>, grid, dim3(threads), 0, stream, shape.batch, elements,
           outputs, targets, scale, losses, grad_outputs, cursor);
  });
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
