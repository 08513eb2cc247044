// SPDX-License-Identifier: Apache-2.0
#include <cstdint>

#include "kernels/allocator.h"
#include "kernels/launch.h"
#include "kernels/quotient.h"
#include "kernels_buffers.h"
#include "kernels_quotients.h"

namespace touchstone::TOUCHSTONE_BACKEND {
namespace {

/// One value a block.
__global__ void quotient_kernel(const float* numerators, const float* divisors, float* results) {
  results[blockIdx.x] = quotient(numerators[blockIdx.x], divisors[blockIdx.x]);
}

/// One value a block.
__global__ void refined_quotient_kernel(const float* numerators, const float* divisors, float error, float* results) {
  const float divisor = divisors[blockIdx.x];
  const float estimate = detail::estimate_reciprocal(divisor);
  results[blockIdx.x] = detail::refine_quotient(numerators[blockIdx.x], divisor, fmaf(estimate, error, estimate));
}

/// Calls `run` with the numbers on the device, how many they are, and where the results go.
template <class Run>
std::vector<float> results_of(const std::vector<float>& numerators, const std::vector<float>& divisors, Run run) {
  GuardedAllocator allocator;
  const Buffer<float> n = to_device(allocator, numerators, "numerators");
  const Buffer<float> d = to_device(allocator, divisors, "divisors");
  const Buffer<float> results(allocator, n.count(), "quotients");
  run(dim3(static_cast<unsigned>(n.count())), n.data(), d.data(), results.data());
  std::vector<float> values = to_host(results);
  allocator.verify();
  return values;
}

}  // namespace

std::vector<float> quotients(const std::vector<float>& numerators, const std::vector<float>& divisors) {
  return results_of(numerators, divisors, [](dim3 grid, const float* n, const float* d, float* results) {
    launch(quotient_kernel, grid, dim3(1), 0, nullptr, n, d, results);
  });
}

std::vector<float> refined_quotients(const std::vector<float>& numerators, const std::vector<float>& divisors,
                                     float error) {
  return results_of(numerators, divisors, [error](dim3 grid, const float* n, const float* d, float* results) {
    launch(refined_quotient_kernel, grid, dim3(1), 0, nullptr, n, d, error, results);
  });
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
