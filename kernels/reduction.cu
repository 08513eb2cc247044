// SPDX-License-Identifier: Apache-2.0
//
// Sums over the rows of a matrix in a fixed order: the second stage of the filter and bias gradients, and the bias
// gradient of a dense layer. Memory-bound: each element is read once, by neighbouring threads side by side.
#include "kernels/geometry.h"
#include "kernels/launch.h"
#include "kernels/reduction.h"
#include "kernels/shared_memory.h"

namespace touchstone::TOUCHSTONE_BACKEND {
namespace {

constexpr int block_columns = warp_size;
constexpr int block_lanes = 8;

// Block: 32 columns. Thread (x, y): column x, rows y, y + 8, ... Shared memory: a float a thread.
__global__ void __launch_bounds__(block_columns* block_lanes)
    sum_rows_kernel(std::int64_t rows, std::int64_t columns, const float* values, float* sums) {
  SharedMemory shared;
  float* lane_sums = shared.take<float>(block_columns * block_lanes);  // [lane][column]
  const int x = static_cast<int>(threadIdx.x);
  const int y = static_cast<int>(threadIdx.y);
  const std::int64_t column = std::int64_t{blockIdx.x} * block_columns + x;

  float sum = 0.0F;
  if (column < columns) {
    for (std::int64_t row = y; row < rows; row += block_lanes) {
      sum += values[row * columns + column];
    }
  }
  lane_sums[y * block_columns + x] = sum;
  for (int half = block_lanes / 2; half > 0; half /= 2) {
    __syncthreads();  // the lanes of the level before have written
    if (y < half) {
      lane_sums[y * block_columns + x] += lane_sums[(y + half) * block_columns + x];
    }
  }
  if (y == 0 && column < columns) {
    sums[column] = lane_sums[x];
  }
}

}  // namespace

void sum_rows(std::int64_t rows, std::int64_t columns, const float* values, float* sums, cudaStream_t stream) {
  if (columns == 0) {
    return;
  }
  const dim3 grid(grid_size(divide_up<std::int64_t>(columns, block_columns)));
  constexpr std::size_t shared_bytes = SharedLayout().take<float>(block_columns * block_lanes).bytes();
  launch(sum_rows_kernel, grid, dim3(block_columns, block_lanes), shared_bytes, stream, rows, columns, values, sums);
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
