// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdint>

#include "kernels/allocator.h"
#include "kernels/check.h"
#include "kernels/launch.h"
#include "kernels/tensor_core.h"
#include "kernels_buffers.h"
#include "kernels_tensor_product.h"

namespace touchstone::TOUCHSTONE_BACKEND {
namespace {

/// One value a block.
__global__ void split_kernel(const float* values, float* high, float* low) {
  const SplitFloat parts = split(values[blockIdx.x]);
  high[blockIdx.x] = parts.high;
  low[blockIdx.x] = parts.low;
}

/// A warp takes the terms in pairs of neighbours. `right_parts` [2, 8, terms]: first all high parts, then all low ones.
__global__ void product_kernel(const float* left, const float* right_parts, int terms, float* sums) {
  const int line = static_cast<int>(threadIdx.x) / 4;
  const int pair = static_cast<int>(threadIdx.x) % 4;
  TensorSums own = {};
  for (int first = 0; first < terms; first += product_terms) {
    const int term = first + 2 * pair;
    TensorRows rows;
    for (int i = 0; i < 4; ++i) {
      const SplitFloat parts = split(left[(line + i % 2 * 8) * terms + term + i / 2]);
      rows.high[i] = parts.high;
      rows.low[i] = parts.low;
    }
    add_tensor_product(own, rows, load_column(right_parts + line * terms + term, product_columns * terms));
  }
  for (int i = 0; i < 4; ++i) {
    sums[(line + i / 2 * 8) * product_columns + 2 * pair + i % 2] = own[i];
  }
}

}  // namespace

int product_capability() {
  int device = 0;
  check(cudaGetDevice(&device), "cudaGetDevice");
  int major = 0;
  int minor = 0;
  check(cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device), "cudaDeviceGetAttribute");
  check(cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device), "cudaDeviceGetAttribute");
  cudaFuncAttributes attributes;
  check(cudaFuncGetAttributes(&attributes, product_kernel), "cudaFuncGetAttributes");
  return std::min(10 * major + minor, attributes.ptxVersion);
}

FloatParts split_floats(const std::vector<float>& values) {
  GuardedAllocator allocator;
  const auto count = static_cast<std::int64_t>(values.size());
  const Buffer<float> input = to_device(allocator, values, "values");
  const Buffer<float> high(allocator, count, "high parts");
  const Buffer<float> low(allocator, count, "low parts");
  launch(split_kernel, dim3(static_cast<unsigned>(count)), dim3(1), 0, nullptr, input.data(), high.data(), low.data());
  FloatParts parts{to_host(high), to_host(low)};
  allocator.verify();
  return parts;
}

std::vector<float> tensor_product(const std::vector<float>& left, const std::vector<float>& right) {
  GuardedAllocator allocator;
  FloatParts parts = split_floats(right);
  parts.high.insert(parts.high.end(), parts.low.begin(), parts.low.end());
  const Buffer<float> rows = to_device(allocator, left, "left factor");
  const Buffer<float> columns = to_device(allocator, parts.high, "right factor");
  const Buffer<float> sums(allocator, product_rows * product_columns, "sums");
  launch(product_kernel, dim3(1), dim3(warp_size), 0, nullptr, rows.data(), columns.data(),
         static_cast<int>(left.size()) / product_rows, sums.data());
  std::vector<float> result = to_host(sums);
  allocator.verify();
  return result;
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
