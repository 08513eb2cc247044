// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "kernels/allocator.h"
#include "kernels/check.h"

/// What the tests' own kernels read and write.
namespace touchstone::TOUCHSTONE_BACKEND {

inline Buffer<float> to_device(Allocator& allocator, const std::vector<float>& values, const std::string& name) {
  Buffer<float> buffer(allocator, static_cast<std::int64_t>(values.size()), name);
  check(cudaMemcpy(buffer.data(), values.data(), buffer.bytes(), cudaMemcpyHostToDevice), "cudaMemcpy");
  return buffer;
}

inline std::vector<float> to_host(const Buffer<float>& buffer) {
  std::vector<float> values(static_cast<std::size_t>(buffer.count()));
  check(cudaMemcpy(values.data(), buffer.data(), buffer.bytes(), cudaMemcpyDeviceToHost), "cudaMemcpy");
  return values;
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
