// SPDX-License-Identifier: Apache-2.0
//
// The divergence of every Gaussian from every other in double precision (formula:
// include/touchstone/gaussian_operations.h): mean [C,K], factor [C,K,K], divergence [C,C]. NaN spreads.
// C^2 K^3 / 3 FLOPs, 8 (C K^2 / 2 + C^2) bytes.
//
// The right sides of a pair are the columns of L_i - L_j and, as column K, m_i - m_j. Up to gaussian_block dimensions a
// block solves 32 of these columns as it makes them and adds up the terms of the divergence; nothing but a sum a block
// is written, and a second kernel adds these in their order. Above, all right sides of one j go to the workspace, and
// gaussian_solve does the rest.
#include <cmath>

#include "kernels/gaussian_block.h"
#include "kernels/gaussian_pairs.h"
#include "kernels/gaussian_solve.h"
#include "kernels/geometry.h"
#include "kernels/launch.h"
#include "kernels/shared_memory.h"

namespace touchstone::TOUCHSTONE_BACKEND {
namespace {

constexpr int threads = 256;
static_assert(threads == warp_size * substitution_rows);
[[maybe_unused]] constexpr int min_blocks = 2;  // a multiprocessor: 128 registers a thread

// The pair that a block works on, and where its Gaussians are.
struct Pair {
  int dimensions;
  const double* mean_p;
  const double* mean_q;
  const double* factor_p;
  const double* factor_q;
};

__device__ Pair pair_at(int dimensions, std::int64_t p, std::int64_t q, const double* means, const double* factors) {
  const std::int64_t size = std::int64_t{dimensions} * dimensions;
  return {dimensions, means + p * dimensions, means + q * dimensions, factors + p * size, factors + q * size};
}

// Element r of right side c: 0 beyond the last.
__device__ double right_side(const Pair& pair, int r, int c) {
  if (c < pair.dimensions) {
    const std::int64_t place = std::int64_t{r} * pair.dimensions + c;
    return c <= r ? pair.factor_p[place] - pair.factor_q[place] : 0.0;
  }
  return c == pair.dimensions ? pair.mean_p[r] - pair.mean_q[r] : 0.0;
}

// (l/m)^2 - 1 - 2 ln(l/m): 0 where the two are equal, else positive.
__device__ double diagonal_term(double l, double m) {
  const double d = (l - m) / m;
  if (fabs(d) < near_one) {
    return d * d + 2.0 * log1p_excess(d);
  }
  const double quotient = l / m;
  return quotient * quotient - 1.0 - 2.0 * log(quotient);
}

// What element (r, c) of the solution adds to twice the divergence.
__device__ double term(const Pair& pair, int r, int c, double y) {
  if (c < r || c == pair.dimensions) {
    return y * y;
  }
  if (c > r) {
    return 0.0;
  }
  const std::int64_t place = std::int64_t{r} * (pair.dimensions + 1);
  return diagonal_term(pair.factor_p[place], pair.factor_q[place]);
}

// The sum of a value over the block, by halving, in thread 0. `sums` is shared memory for `threads` doubles.
__device__ double block_sum(double value, int thread, double* sums) {
  sums[thread] = value;
  for (int half = threads / 2; half > 0; half /= 2) {
    __syncthreads();  // the sums of both halves are there
    if (thread < half) {
      sums[thread] += sums[thread + half];
    }
  }
  return sums[0];
}

// Block (tile, i * C + j): 32 right sides of a pair; thread: SHARE elements of one. Shared: (2 * 32 + threads) doubles.
template <int SHARE>
__global__ void __launch_bounds__(threads, min_blocks)
    pair_kernel(int gaussians, int dimensions, const double* means, const double* factors, double* parts) {
  SharedMemory shared;
  double* row = shared.take<double>(2 * warp_size);
  double* sums = shared.take<double>(threads);
  const int y = static_cast<int>(threadIdx.y);
  const int first = static_cast<int>(blockIdx.x) * warp_size;
  const int c = first + static_cast<int>(threadIdx.x);
  const int place = static_cast<int>(blockIdx.y);
  const Pair pair = pair_at(dimensions, place / gaussians, place % gaussians, means, factors);

  double x[SHARE];
#pragma unroll
  for (int i = 0; i < SHARE; ++i) {
    const int r = i * substitution_rows + y;
    x[i] = r < dimensions ? right_side(pair, r, c) : 0.0;
  }
  // Above its diagonal a column is zero; the difference of the means is zero nowhere.
  const bool has_means = first + warp_size > dimensions;
  substitute(dimensions, has_means ? 0 : first, pair.factor_q, dimensions, row, x);

  double sum = 0.0;
#pragma unroll
  for (int i = 0; i < SHARE; ++i) {
    const int r = i * substitution_rows + y;
    if (r < dimensions && c <= dimensions) {
      sum += term(pair, r, c, x[i]);
    }
  }
  const int thread = y * warp_size + static_cast<int>(threadIdx.x);
  sum = block_sum(sum, thread, sums);
  if (thread == 0) {
    parts[std::int64_t{blockIdx.y} * gridDim.x + blockIdx.x] = sum;
  }
}

// Thread: the sum of one pair's parts.
__global__ void __launch_bounds__(threads)
    add_parts_kernel(int pairs, int tiles, const double* parts, double* divergence) {
  const int pair = static_cast<int>(blockIdx.x) * threads + static_cast<int>(threadIdx.x);
  if (pair >= pairs) {
    return;
  }
  double sum = 0.0;
  for (int tile = 0; tile < tiles; ++tile) {
    sum += parts[std::int64_t{pair} * tiles + tile];
  }
  divergence[pair] = sum / 2.0;
}

// Thread: one element of the right sides [K, C*(K+1)] of Gaussian q.
__global__ void __launch_bounds__(threads) right_sides_kernel(int gaussians, int dimensions, int q, const double* means,
                                                              const double* factors, double* sides) {
  const std::int64_t i = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  const std::int64_t pitch = std::int64_t{gaussians} * (dimensions + 1);
  if (i >= dimensions * pitch) {
    return;
  }
  const Pair pair = pair_at(dimensions, i % pitch / (dimensions + 1), q, means, factors);
  sides[i] = right_side(pair, static_cast<int>(i / pitch), static_cast<int>(i % (dimensions + 1)));
}

// Block p: the divergence of p from q, from its solution [K, C*(K+1)]; thread: every 256th element. Shared: `threads`
// doubles.
__global__ void __launch_bounds__(threads)
    add_terms_kernel(int gaussians, int dimensions, int q, const double* means, const double* factors,
                     const double* solution, double* divergence) {
  SharedMemory shared;
  double* sums = shared.take<double>(threads);
  const int columns = dimensions + 1;
  const int thread = static_cast<int>(threadIdx.x);
  const int p = static_cast<int>(blockIdx.x);
  const Pair pair = pair_at(dimensions, p, q, means, factors);
  double sum = 0.0;
  for (std::int64_t i = thread; i < std::int64_t{dimensions} * columns; i += threads) {
    const int r = static_cast<int>(i / columns);
    const int c = static_cast<int>(i % columns);
    sum += term(pair, r, c, solution[(std::int64_t{r} * gaussians + p) * columns + c]);
  }
  sum = block_sum(sum, thread, sums);
  if (thread == 0) {
    divergence[std::int64_t{p} * gaussians + q] = sum / 2.0;
  }
}

int tiles_of(std::int64_t dimensions) { return static_cast<int>(divide_up<std::int64_t>(dimensions + 1, warp_size)); }

template <int SHARE>
void compare_pairs(int gaussians, int dimensions, const double* mean, const double* factor, double* parts,
                   cudaStream_t stream) {
  const std::size_t shared_bytes = SharedLayout().take<double>(2 * warp_size).take<double>(threads).bytes();
  launch(pair_kernel<SHARE>, dim3(static_cast<unsigned>(tiles_of(dimensions)), grid_size(gaussians * gaussians)),
         dim3(warp_size, substitution_rows), shared_bytes, stream, gaussians, dimensions, mean, factor, parts);
}

void small_pairs(int gaussians, int dimensions, const double* mean, const double* factor, double* divergence,
                 double* parts, cudaStream_t stream) {
  switch (rows_per_thread(dimensions)) {
    case 2:
      compare_pairs<2>(gaussians, dimensions, mean, factor, parts, stream);
      break;
    case 4:
      compare_pairs<4>(gaussians, dimensions, mean, factor, parts, stream);
      break;
    case 8:
      compare_pairs<8>(gaussians, dimensions, mean, factor, parts, stream);
      break;
    default:
      compare_pairs<16>(gaussians, dimensions, mean, factor, parts, stream);
  }
  const int pairs = gaussians * gaussians;
  launch(add_parts_kernel, dim3(grid_size(divide_up(pairs, threads))), dim3(threads), 0, stream, pairs,
         tiles_of(dimensions), parts, divergence);
}

void large_pairs(int gaussians, int dimensions, const double* mean, const double* factor, double* divergence,
                 double* sides, cublasHandle_t blas, cudaStream_t stream) {
  const std::int64_t columns = std::int64_t{gaussians} * (dimensions + 1);
  const std::int64_t size = std::int64_t{dimensions} * dimensions;
  for (int q = 0; q < gaussians; ++q) {
    launch(right_sides_kernel, dim3(grid_size(divide_up<std::int64_t>(dimensions * columns, threads))), dim3(threads),
           0, stream, gaussians, dimensions, q, mean, factor, sides);
    gaussian_solve({.gaussians = 1, .dimensions = dimensions, .columns = columns}, factor + q * size, sides, sides,
                   blas, stream);
    launch(add_terms_kernel, dim3(grid_size(gaussians)), dim3(threads), SharedLayout().take<double>(threads).bytes(),
           stream, gaussians, dimensions, q, mean, factor, sides, divergence);
  }
}

}  // namespace

std::int64_t gaussian_pairs_workspace(const GaussianShape& shape) {
  if (shape.dimensions <= gaussian_block) {
    return shape.pairs_count() * tiles_of(shape.dimensions);
  }
  return shape.means_count() * (shape.dimensions + 1);
}

void gaussian_pairs(const GaussianShape& shape, const double* mean, const double* factor, double* divergence,
                    double* workspace, cublasHandle_t blas, cudaStream_t stream) {
  shape.validate();
  constexpr std::int64_t most_gaussians = 255;  // all pairs are rows of a grid, which has at most 65535
  if (shape.gaussians > most_gaussians) {
    throw Error("gaussian_pairs: " + std::to_string(shape.gaussians) +
                " Gaussians; the CUDA kernels compare at most 255: use --device cpu");
  }
  const int gaussians = static_cast<int>(shape.gaussians);
  const int dimensions = narrow(shape.dimensions, "the dimensions of a Gaussian");
  if (dimensions <= gaussian_block) {
    small_pairs(gaussians, dimensions, mean, factor, divergence, workspace, stream);
  } else {
    large_pairs(gaussians, dimensions, mean, factor, divergence, workspace, blas, stream);
  }
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
