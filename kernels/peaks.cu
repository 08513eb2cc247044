// SPDX-License-Identifier: Apache-2.0
//
// What the peaks of a device are measured with: a copy, and multiply-adds in registers. 8 bytes an element; 2 FLOPs a
// chain and round.
#include "kernels/check.h"
#include "kernels/geometry.h"
#include "kernels/launch.h"
#include "kernels/peaks.h"
#include "kernels/vector_access.h"

namespace touchstone::TOUCHSTONE_BACKEND {
namespace {

constexpr int threads = 256;
constexpr int thread_elements = 4;
// A scheduler issues an instruction a cycle and a multiply-add takes four: 16 warps with 8 chains each are plenty.
constexpr int chains = 8;
constexpr int blocks_per_multiprocessor = emulated_build ? 1 : 8;

// Thread: four neighbouring elements.
__global__ void __launch_bounds__(threads) copy_kernel(std::int64_t count, const float* source, float* target) {
  const std::int64_t first = (std::int64_t{blockIdx.x} * threads + threadIdx.x) * thread_elements;
  if (first + thread_elements <= count) {
    store4(target + first, load4(source + first));
    return;
  }
  for (std::int64_t i = first; i < count; ++i) {
    target[i] = source[i];
  }
}

// Thread: chains of x = x * factor + term, which converge to 1 from anywhere near. nvcc fuses product and sum.
template <class Number>
__global__ void __launch_bounds__(threads) multiply_add_kernel(std::int64_t rounds, Number* results) {
  constexpr Number factor{0.875F};
  constexpr Number term{0.125F};
  Number x[chains];
#pragma unroll
  for (int chain = 0; chain < chains; ++chain) {
    x[chain] = static_cast<Number>(std::int64_t{threadIdx.x} + chain);
  }
#pragma unroll 4
  for (std::int64_t round = 0; round < rounds; ++round) {
#pragma unroll
    for (int chain = 0; chain < chains; ++chain) {
      x[chain] = x[chain] * factor + term;
    }
  }
  Number sum = 0;
#pragma unroll
  for (int chain = 0; chain < chains; ++chain) {
    sum += x[chain];
  }
  results[std::int64_t{blockIdx.x} * threads + threadIdx.x] = sum;
}

int blocks_of_current_device() {
  int device = 0;
  int multiprocessors = 0;
  check(cudaGetDevice(&device), "cudaGetDevice");
  check(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, device), "cudaDeviceGetAttribute");
  return multiprocessors * blocks_per_multiprocessor;
}

template <class Number>
std::int64_t count_multiply_adds(std::int64_t rounds, Number* results, cudaStream_t stream) {
  const int blocks = blocks_of_current_device();
  launch(multiply_add_kernel<Number>, dim3(grid_size(blocks)), dim3(threads), 0, stream, rounds, results);
  return std::int64_t{blocks} * threads * chains * rounds;
}

}  // namespace

void copy(std::int64_t count, const float* source, float* target, cudaStream_t stream) {
  if (count == 0) {
    return;
  }
  const dim3 grid(grid_size(divide_up<std::int64_t>(count, threads * thread_elements)));
  launch(copy_kernel, grid, dim3(threads), 0, stream, count, source, target);
}

std::int64_t multiply_add(std::int64_t rounds, float* results, cudaStream_t stream) {
  return count_multiply_adds(rounds, results, stream);
}

std::int64_t multiply_add(std::int64_t rounds, double* results, cudaStream_t stream) {
  return count_multiply_adds(rounds, results, stream);
}

std::int64_t multiply_add_workspace() { return std::int64_t{blocks_of_current_device()} * threads; }

}  // namespace touchstone::TOUCHSTONE_BACKEND
