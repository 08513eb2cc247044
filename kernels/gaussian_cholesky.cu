// SPDX-License-Identifier: Apache-2.0
//
// The Cholesky factors of several matrices in double precision (formulas: include/touchstone/gaussian_operations.h):
// covariance and factor [C,K,K], failures [C]. A NaN makes its matrix fail. C K^3 / 3 FLOPs, 16 C K^2 bytes.
//
// A block of 16 x 16 threads factorises a matrix of up to gaussian_block rows, whose elements are dealt out to the
// threads' registers like cards, along rows and columns: then all have work until the end. In turn each column goes
// through shared memory, is divided by the root of its pivot, and all elements right of it take off their product.
// Larger matrices go by blocks of columns: factorise the block on the diagonal, solve for what lies below it, and let
// cuBLAS take the product of that off all that remains.
#include <cmath>

#include "kernels/check.h"
#include "kernels/gaussian_block.h"
#include "kernels/gaussian_cholesky.h"
#include "kernels/gaussian_solve.h"
#include "kernels/geometry.h"
#include "kernels/launch.h"
#include "kernels/shared_memory.h"

namespace touchstone::TOUCHSTONE_BACKEND {
namespace {

constexpr int side = 16;  // threads along each side of a matrix
constexpr int threads = side * side;
static_assert(gaussian_block <= threads, "a thread divides at most one element of a column");
constexpr int shared_budget = 2048;  // bytes: the two columns of the largest block
static_assert(shared_budget == SharedLayout().take<double>(gaussian_block).take<double>(gaussian_block).bytes());

// Thread: one element; those above the diagonal become zero. Thread 0 of each Gaussian: nothing has failed.
__global__ void __launch_bounds__(threads)
    begin_kernel(std::int64_t count, int dimensions, const double* covariance, double* factor, std::int32_t* failures) {
  const std::int64_t i = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  if (i >= count) {
    return;
  }
  const std::int64_t r = i / dimensions % dimensions;
  const std::int64_t c = i % dimensions;
  factor[i] = c <= r ? covariance[i] : 0.0;
  if (r == 0 && c == 0) {
    failures[i / dimensions / dimensions] = 0;
  }
}

// Block: the rows and columns first .. first+rows-1 of one matrix, in place; thread: every sixteenth row of every
// sixteenth column, up to the diagonal. Shared: 2 * SHARE * side doubles.
template <int SHARE>
__global__ void __launch_bounds__(threads)
    factorise_kernel(int dimensions, int first, int rows, const double* covariances, double* factors,
                     std::int32_t* failures) {
  SharedMemory shared;
  double* column = shared.take<double>(SHARE * side);
  double* divided = shared.take<double>(SHARE * side);
  if (failures[blockIdx.x] != 0) {
    return;
  }
  const int thread = static_cast<int>(threadIdx.x);
  const int x = thread % side;
  const int y = thread / side;
  const std::int64_t corner =
      std::int64_t{blockIdx.x} * dimensions * dimensions + std::int64_t{first} * (dimensions + 1);
  double* const factor = factors + corner;

  double a[SHARE][SHARE];
#pragma unroll
  for (int i = 0; i < SHARE; ++i) {
#pragma unroll
    for (int j = 0; j <= i; ++j) {
      const int r = i * side + y;
      const int c = j * side + x;
      a[i][j] = r < rows && c <= r ? factor[std::int64_t{r} * dimensions + c] : 0.0;
    }
  }

#pragma unroll
  for (int j = 0; j < SHARE; ++j) {
    for (int owner = 0; owner < side; ++owner) {
      const int k = j * side + owner;
      if (k >= rows) {
        break;
      }
      if (x == owner) {
#pragma unroll
        for (int i = j; i < SHARE; ++i) {
          column[i * side + y] = a[i][j];
        }
      }
      __syncthreads();  // column k is there, and nobody needs the last divided one any more
      const double pivot = column[k];
      const double least = smallest_pivot(dimensions) * covariances[corner + std::int64_t{k} * (dimensions + 1)];
      if (!(pivot > least)) {
        if (thread == 0) {
          failures[blockIdx.x] = first + k + 1;
        }
        return;
      }
      const double root = sqrt(pivot);
      if (thread >= k && thread < rows) {
        divided[thread] = thread == k ? root : column[thread] / root;
      }
      __syncthreads();  // it is divided
#pragma unroll
      for (int i = j; i < SHARE; ++i) {
        const int r = i * side + y;
#pragma unroll
        for (int l = j; l <= i; ++l) {
          const int c = l * side + x;
          if (c > k && c <= r && r < rows) {
            a[i][l] -= divided[r] * divided[c];
          }
        }
        if (x == owner && r >= k && r < rows) {
          a[i][j] = divided[r];
        }
      }
    }
  }

#pragma unroll
  for (int i = 0; i < SHARE; ++i) {
#pragma unroll
    for (int j = 0; j <= i; ++j) {
      const int r = i * side + y;
      const int c = j * side + x;
      if (r < rows && c <= r) {
        factor[std::int64_t{r} * dimensions + c] = a[i][j];
      }
    }
  }
}

// Thread: one element. Those above the diagonal, where cuBLAS may have written, and those of matrices that failed
// become zero.
__global__ void __launch_bounds__(threads)
    finish_kernel(std::int64_t count, int dimensions, const std::int32_t* failures, double* factor) {
  const std::int64_t i = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  if (i < count && (i % dimensions > i / dimensions % dimensions || failures[i / dimensions / dimensions] != 0)) {
    factor[i] = 0.0;
  }
}

template <int SHARE>
void factorise_block(const GaussianShape& shape, int first, int rows, const double* covariance, double* factor,
                     std::int32_t* failures, cudaStream_t stream) {
  launch(factorise_kernel<SHARE>, dim3(grid_size(shape.gaussians)), dim3(threads), shared_budget, stream,
         static_cast<int>(shape.dimensions), first, rows, covariance, factor, failures);
}

void factorise_diagonal(const GaussianShape& shape, int first, int rows, const double* covariance, double* factor,
                        std::int32_t* failures, cudaStream_t stream) {
  if (rows <= side) {
    factorise_block<1>(shape, first, rows, covariance, factor, failures, stream);
  } else if (rows <= 2 * side) {
    factorise_block<2>(shape, first, rows, covariance, factor, failures, stream);
  } else if (rows <= 4 * side) {
    factorise_block<4>(shape, first, rows, covariance, factor, failures, stream);
  } else {
    factorise_block<8>(shape, first, rows, covariance, factor, failures, stream);
  }
}

// What lies below a block on the diagonal, and what remains right of it. The rows below solve X L^T = S, so their
// transpose is a right side. In cuBLAS, which counts columns first, they are X^T.
void eliminate_below(const GaussianShape& shape, int first, int rows, double* factor, cublasHandle_t blas,
                     cudaStream_t stream) {
  const int dimensions = static_cast<int>(shape.dimensions);
  const int below = first + rows;
  const std::int64_t size = shape.dimensions * shape.dimensions;
  double* const panel = factor + std::int64_t{below} * dimensions + first;
  solve_block({.gaussians = static_cast<int>(shape.gaussians),
               .rows = rows,
               .factor = factor + std::int64_t{first} * (dimensions + 1),
               .pitch = dimensions,
               .factor_stride = size,
               .sides = panel,
               .row_stride = 1,
               .column_stride = dimensions,
               .sides_stride = size,
               .columns = dimensions - below},
              stream);
  for (std::int64_t gaussian = 0; gaussian < shape.gaussians; ++gaussian) {
    const double minus_one = -1.0;
    const double one = 1.0;
    check(cublasDgemm(blas, CUBLAS_OP_T, CUBLAS_OP_N, dimensions - below, dimensions - below, rows, &minus_one,
                      panel + gaussian * size, dimensions, panel + gaussian * size, dimensions, &one,
                      factor + gaussian * size + std::int64_t{below} * (dimensions + 1), dimensions),
          "cublasDgemm");
  }
}

}  // namespace

void gaussian_cholesky(const GaussianShape& shape, const double* covariance, double* factor, std::int32_t* failures,
                       cublasHandle_t blas, cudaStream_t stream) {
  shape.validate();
  const int dimensions = narrow(shape.dimensions, "the dimensions of a Gaussian");
  const std::int64_t count = shape.matrices_count();
  const dim3 grid(grid_size(divide_up<std::int64_t>(count, threads)));
  launch(begin_kernel, grid, dim3(threads), 0, stream, count, dimensions, covariance, factor, failures);
  for (int first = 0; first < dimensions; first += gaussian_block) {
    const int rows = dimensions - first < gaussian_block ? dimensions - first : gaussian_block;
    factorise_diagonal(shape, first, rows, covariance, factor, failures, stream);
    if (first + rows < dimensions) {
      eliminate_below(shape, first, rows, factor, blas, stream);
    }
  }
  launch(finish_kernel, grid, dim3(threads), 0, stream, count, dimensions, failures, factor);
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
