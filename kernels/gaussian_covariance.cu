// SPDX-License-Identifier: Apache-2.0
//
// Means and covariances of several groups of samples in double precision (formulas:
// include/touchstone/gaussian_operations.h): values [N,K], mean [C,K], covariance [C,K,K], offsets [C+1]. NaN spreads.
// N K (K + 1) FLOPs, 8 (N K + C K^2) bytes.
//
// Up to gaussian_block dimensions a block computes a tile of 32 x 32 elements of one covariance, at or below its
// diagonal, over all samples of the Gaussian, and writes each element to both sides of the diagonal. Above, the samples
// without their means go to the workspace, cuBLAS multiplies them, and a kernel divides and mirrors the lower triangle.
#include "kernels/check.h"
#include "kernels/gaussian_block.h"
#include "kernels/gaussian_covariance.h"
#include "kernels/geometry.h"
#include "kernels/launch.h"
#include "kernels/shared_memory.h"

namespace touchstone::TOUCHSTONE_BACKEND {
namespace {

constexpr int tile = 32;   // columns of a mean's block; rows and columns of a covariance's
constexpr int lanes = 8;   // that share the rows of a column's mean
constexpr int chunk = 16;  // samples in shared memory at a time
constexpr int sides = 16;  // threads along each side of a tile
constexpr int share = tile / sides;
constexpr int threads = 256;
static_assert(sides * sides == threads && chunk * tile == 2 * threads);

// Block: `tile` columns of one mean; thread: a column and every eighth row. Shared: lanes * tile doubles.
__global__ void __launch_bounds__(threads)
    mean_kernel(int dimensions, const std::int64_t* offsets, const double* values, double* mean) {
  SharedMemory shared;
  double* sums = shared.take<double>(lanes * tile);
  const int column = static_cast<int>(threadIdx.x);
  const int lane = static_cast<int>(threadIdx.y);
  const int k = static_cast<int>(blockIdx.x) * tile + column;
  const std::int64_t begin = offsets[blockIdx.y];
  const std::int64_t end = offsets[blockIdx.y + 1];

  double sum = 0.0;
  for (std::int64_t n = begin + lane; k < dimensions && n < end; n += lanes) {
    sum += values[n * dimensions + k];
  }
  sums[lane * tile + column] = sum;
  for (int half = lanes / 2; half > 0; half /= 2) {
    __syncthreads();  // the sums of both halves are there
    if (lane < half) {
      sums[lane * tile + column] += sums[(lane + half) * tile + column];
    }
  }
  if (lane == 0 && k < dimensions) {
    mean[std::int64_t{blockIdx.y} * dimensions + k] = sums[column] / static_cast<double>(end - begin);
  }
}

// A chunk of samples from `n` on without their mean, in the columns first .. first+tile-1; zero beyond.
__device__ void load_centred(int dimensions, std::int64_t n, std::int64_t end, int first, const double* values,
                             const double* mean, double* centred) {
  for (int place = static_cast<int>(threadIdx.x); place < chunk * tile; place += threads) {
    const std::int64_t sample = n + place / tile;
    const int k = first + place % tile;
    const bool inside = sample < end && k < dimensions;
    centred[place] = inside ? values[sample * dimensions + k] - mean[k] : 0.0;
  }
}

// Block: one tile of one covariance; thread: share x share elements, `sides` apart. Shared: 2 * chunk * tile doubles.
__global__ void __launch_bounds__(threads)
    covariance_kernel(int dimensions, const std::int64_t* offsets, bool unbiased, const double* values,
                      const double* means, double* covariances) {
  SharedMemory shared;
  double* left = shared.take<double>(chunk * tile);
  double* right = shared.take<double>(chunk * tile);
  int tile_row = 0;  // tiles are counted along the rows of the lower triangle
  int tile_column = static_cast<int>(blockIdx.x);
  while (tile_column > tile_row) {
    tile_column -= ++tile_row;
  }
  const int row = static_cast<int>(threadIdx.x) / sides;
  const int column = static_cast<int>(threadIdx.x) % sides;
  const std::int64_t begin = offsets[blockIdx.y];
  const std::int64_t end = offsets[blockIdx.y + 1];
  const double* mean = means + std::int64_t{blockIdx.y} * dimensions;

  double sums[share][share] = {};
  for (std::int64_t n = begin; n < end; n += chunk) {
    load_centred(dimensions, n, end, tile_row * tile, values, mean, left);
    load_centred(dimensions, n, end, tile_column * tile, values, mean, right);
    __syncthreads();  // the chunk is there
    for (int sample = 0; sample < chunk; ++sample) {
#pragma unroll
      for (int i = 0; i < share; ++i) {
#pragma unroll
        for (int j = 0; j < share; ++j) {
          sums[i][j] += left[sample * tile + row + i * sides] * right[sample * tile + column + j * sides];
        }
      }
    }
    __syncthreads();  // nobody needs the chunk any more
  }

  const double divisor = static_cast<double>(unbiased ? end - begin - 1 : end - begin);
  double* covariance = covariances + std::int64_t{blockIdx.y} * dimensions * dimensions;
#pragma unroll
  for (int i = 0; i < share; ++i) {
#pragma unroll
    for (int j = 0; j < share; ++j) {
      const int r = tile_row * tile + row + i * sides;
      const int c = tile_column * tile + column + j * sides;
      if (r < dimensions && c <= r) {
        const double element = sums[i][j] / divisor;
        covariance[r * dimensions + c] = element;
        covariance[c * dimensions + r] = element;
      }
    }
  }
}

// Thread: one element of the samples of one Gaussian, without its mean.
__global__ void __launch_bounds__(threads)
    centre_kernel(std::int64_t count, int dimensions, const double* values, const double* mean, double* centred) {
  const std::int64_t i = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  if (i < count) {
    centred[i] = values[i] - mean[i % dimensions];
  }
}

// Thread: one element of the lower triangle, divided and mirrored in place.
__global__ void __launch_bounds__(threads) divide_kernel(int dimensions, double divisor, double* covariance) {
  const std::int64_t i = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  const std::int64_t r = i / dimensions;
  const std::int64_t c = i % dimensions;
  if (r < dimensions && c <= r) {
    const double element = covariance[i] / divisor;
    covariance[i] = element;
    covariance[c * dimensions + r] = element;
  }
}

// cuBLAS counts columns first: the row-major samples [n,K] are [K,n] there, and the symmetric result is the same.
void covariance_by_blas(std::int64_t size, int dimensions, double divisor, const double* values, const double* mean,
                        double* covariance, double* centred, cublasHandle_t blas, cudaStream_t stream) {
  const std::int64_t count = size * dimensions;
  launch(centre_kernel, dim3(grid_size(divide_up<std::int64_t>(count, threads))), dim3(threads), 0, stream, count,
         dimensions, values, mean, centred);
  const double one = 1.0;
  const double zero = 0.0;
  check(cublasDgemm(blas, CUBLAS_OP_N, CUBLAS_OP_T, dimensions, dimensions, narrow(size, "the samples of a Gaussian"),
                    &one, centred, dimensions, centred, dimensions, &zero, covariance, dimensions),
        "cublasDgemm");
  const std::int64_t elements = std::int64_t{dimensions} * dimensions;
  launch(divide_kernel, dim3(grid_size(divide_up<std::int64_t>(elements, threads))), dim3(threads), 0, stream,
         dimensions, divisor, covariance);
}

}  // namespace

std::int64_t gaussian_covariance_workspace(const GaussianSamples& samples) {
  return samples.dimensions <= gaussian_block ? 0 : samples.samples_count();
}

void gaussian_covariance(const GaussianSamples& samples, CovarianceDivisor divisor, const std::int64_t* offsets,
                         const double* values, double* mean, double* covariance, double* workspace, cublasHandle_t blas,
                         cudaStream_t stream) {
  samples.validate();
  const int dimensions = narrow(samples.dimensions, "the dimensions of a Gaussian");
  const unsigned gaussians = grid_size(samples.gaussians());
  const int tiles = divide_up(dimensions, tile);
  launch(mean_kernel, dim3(static_cast<unsigned>(tiles), gaussians), dim3(tile, lanes),
         SharedLayout().take<double>(lanes * tile).bytes(), stream, dimensions, offsets, values, mean);
  if (dimensions <= gaussian_block) {
    launch(covariance_kernel, dim3(static_cast<unsigned>(tiles * (tiles + 1) / 2), gaussians), dim3(threads),
           SharedLayout().take<double>(chunk * tile).take<double>(chunk * tile).bytes(), stream, dimensions, offsets,
           divisor == CovarianceDivisor::unbiased, values, mean, covariance);
    return;
  }
  for (std::int64_t gaussian = 0; gaussian < samples.gaussians(); ++gaussian) {
    covariance_by_blas(samples.size(gaussian), dimensions, divisor_of(divisor, samples.size(gaussian)),
                       values + samples.begin(gaussian) * dimensions, mean + gaussian * dimensions,
                       covariance + gaussian * dimensions * dimensions, workspace, blas, stream);
  }
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
