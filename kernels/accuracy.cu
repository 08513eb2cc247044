// SPDX-License-Identifier: Apache-2.0
//
// Whether each row's largest logit stands at its label (include/touchstone/accuracy.h). Memory-bound: 4 bytes a class.
#include "kernels/accuracy.h"
#include "kernels/geometry.h"
#include "kernels/launch.h"
#include "kernels/row_lanes.h"

namespace touchstone::TOUCHSTONE_BACKEND {
namespace {

constexpr int threads = 128;

// The larger logit; of equal ones that of the smaller class.
struct Candidate {
  float value;
  int index;

  __device__ void consider(Candidate other) {
    if (other.value > value || (other.value == value && other.index < index)) {
      *this = other;
    }
  }
};

// LANES neighbouring threads: one row; thread: every LANES-th class. Rows beyond the batch repeat the last one, so
// that all lanes of a warp take part in its shuffles, and write nothing.
template <int LANES>
__global__ void __launch_bounds__(threads)
    accuracy_kernel(std::int64_t batch, int classes, const float* logits, const std::uint8_t* labels,
                    std::uint8_t* correct, const StepCursor* cursor) {
  const std::int64_t wanted_row = (std::int64_t{blockIdx.x} * threads + threadIdx.x) / LANES;
  const std::int64_t row = min(wanted_row, batch - 1);
  const int lane = static_cast<int>(threadIdx.x) % LANES;
  const float* z = logits + row * classes;

  Candidate best{z[lane < classes ? lane : 0], lane < classes ? lane : 0};
  for (int i = lane + LANES; i < classes; i += LANES) {
    best.consider({z[i], i});
  }
#pragma unroll
  for (int offset = LANES / 2; offset > 0; offset /= 2) {
    const float value = __shfl_xor_sync(full_warp, best.value, offset);
    const int index = __shfl_xor_sync(full_warp, best.index, offset);
    best.consider({value, index});
  }
  if (lane == 0 && wanted_row < batch) {
    correct[first_sample(cursor) + row] = best.index == labels[row] ? 1 : 0;
  }
}

}  // namespace

void accuracy(const SoftmaxCrossEntropyShape& shape, const float* logits, const std::uint8_t* labels,
              std::uint8_t* correct, const StepCursor* cursor, cudaStream_t stream) {
  shape.validate();
  if (shape.batch == 0) {
    return;
  }
  const int classes = narrow(shape.classes, "the number of classes");
  const int lanes = lanes_per_row(shape.classes);
  const dim3 grid(grid_size(divide_up<std::int64_t>(shape.batch * lanes, threads)));
  with_lanes(lanes, [&](auto constant) {
    launch(accuracy_kernel<decltype(constant)::value>, grid, dim3(threads), 0, stream, shape.batch, classes, logits,
           labels, correct, cursor);
  });
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
