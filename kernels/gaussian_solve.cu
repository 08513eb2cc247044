// SPDX-License-Identifier: Apache-2.0
//
// Forward substitution with several lower triangular matrices in double precision (formula:
// include/touchstone/gaussian_operations.h): factor [C,K,K], right sides and solution [C,K,M], row-major. A division by
// zero gives what IEEE arithmetic has for it. C K^2 M FLOPs, 8 (C K^2 / 2 + 2 C K M) bytes.
//
// A block solves 32 columns of up to gaussian_block rows, which its threads hold in registers: each row is divided by
// its owner, goes through shared memory, and all rows below take it off. Larger matrices go by blocks of rows, and
// cuBLAS takes the solved ones off all rows below.
#include "kernels/check.h"
#include "kernels/gaussian_block.h"
#include "kernels/gaussian_solve.h"
#include "kernels/geometry.h"
#include "kernels/launch.h"
#include "kernels/shared_memory.h"

namespace touchstone::TOUCHSTONE_BACKEND {
namespace {

constexpr int threads = 256;
static_assert(threads == warp_size * substitution_rows);
[[maybe_unused]] constexpr int min_blocks =
    1;  // a multiprocessor: the largest share takes more than 128 registers a thread

// Block: 32 columns of one Gaussian; thread: SHARE elements of one column. Shared: 2 * 32 doubles.
template <int SHARE>
__global__ void __launch_bounds__(threads, min_blocks) solve_kernel(BlockSolve solve) {
  SharedMemory shared;
  double* row = shared.take<double>(2 * warp_size);
  const std::int64_t column = std::int64_t{blockIdx.x} * warp_size + threadIdx.x;
  double* const side = solve.sides + blockIdx.y * solve.sides_stride + column * solve.column_stride;
  const bool inside = column < solve.columns;
  double x[SHARE];
#pragma unroll
  for (int i = 0; i < SHARE; ++i) {
    const int r = i * substitution_rows + static_cast<int>(threadIdx.y);
    x[i] = inside && r < solve.rows ? side[r * solve.row_stride] : 0.0;
  }
  substitute(solve.rows, 0, solve.factor + blockIdx.y * solve.factor_stride, solve.pitch, row, x);
#pragma unroll
  for (int i = 0; i < SHARE; ++i) {
    const int r = i * substitution_rows + static_cast<int>(threadIdx.y);
    if (inside && r < solve.rows) {
      side[r * solve.row_stride] = x[i];
    }
  }
}

}  // namespace

void solve_block(const BlockSolve& solve, cudaStream_t stream) {
  const dim3 grid(grid_size(divide_up<std::int64_t>(solve.columns, warp_size)), grid_size(solve.gaussians));
  const dim3 block(warp_size, substitution_rows);
  const std::size_t shared_bytes = SharedLayout().take<double>(2 * warp_size).bytes();
  switch (rows_per_thread(solve.rows)) {
    case 2:
      return launch(solve_kernel<2>, grid, block, shared_bytes, stream, solve);
    case 4:
      return launch(solve_kernel<4>, grid, block, shared_bytes, stream, solve);
    case 8:
      return launch(solve_kernel<8>, grid, block, shared_bytes, stream, solve);
    default:
      return launch(solve_kernel<16>, grid, block, shared_bytes, stream, solve);
  }
}

// cuBLAS counts columns first: a row-major [rows,columns] matrix is its transpose there, so that X -= L Y is
// X^T -= Y^T L^T.
void gaussian_solve(const GaussianSolveShape& shape, const double* factor, const double* right_sides, double* solution,
                    cublasHandle_t blas, cudaStream_t stream) {
  shape.validate();
  const int dimensions = narrow(shape.dimensions, "the dimensions of a Gaussian");
  const int columns = narrow(shape.columns, "the right sides of a Gaussian");
  const std::int64_t factor_size = shape.dimensions * shape.dimensions;
  const std::int64_t sides_size = shape.dimensions * shape.columns;
  if (solution != right_sides) {
    check(cudaMemcpyAsync(solution, right_sides, static_cast<std::size_t>(shape.sides_count()) * sizeof(double),
                          cudaMemcpyDeviceToDevice, stream),
          "cudaMemcpyAsync");
  }
  for (int first = 0; first < dimensions; first += gaussian_block) {
    const int rows = dimensions - first < gaussian_block ? dimensions - first : gaussian_block;
    solve_block({.gaussians = narrow(shape.gaussians, "the number of Gaussians"),
                 .rows = rows,
                 .factor = factor + std::int64_t{first} * (dimensions + 1),
                 .pitch = dimensions,
                 .factor_stride = factor_size,
                 .sides = solution + std::int64_t{first} * columns,
                 .row_stride = columns,
                 .column_stride = 1,
                 .sides_stride = sides_size,
                 .columns = columns},
                stream);
    const int below = first + rows;
    for (std::int64_t gaussian = 0; gaussian < shape.gaussians && below < dimensions; ++gaussian) {
      const double minus_one = -1.0;
      const double one = 1.0;
      double* const x = solution + gaussian * sides_size;
      check(cublasDgemm(blas, CUBLAS_OP_N, CUBLAS_OP_N, columns, dimensions - below, rows, &minus_one,
                        x + std::int64_t{first} * columns, columns,
                        factor + gaussian * factor_size + std::int64_t{below} * dimensions + first, dimensions, &one,
                        x + std::int64_t{below} * columns, columns),
            "cublasDgemm");
    }
  }
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
