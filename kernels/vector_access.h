// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <type_traits>

#include "kernels/backend.h"

#ifdef TOUCHSTONE_EMULATED
#include <cstring>

#include "emulation/kernel.h"
#endif

namespace touchstone::TOUCHSTONE_BACKEND {

/// Reads a vector (float2, float4, uchar4, ...) from consecutive elements in one access. The address must be a
/// multiple of the vector's alignment; the emulated device reports where it is not.
template <class Vector, class Element>
[[nodiscard]] __device__ __forceinline__ Vector load_vector(const Element* address) {
  static_assert(sizeof(Vector) % sizeof(Element) == 0, "a vector holds whole elements");
#ifdef TOUCHSTONE_EMULATED
  emulation::check_alignment(address, alignof(Vector), sizeof(Vector));
  Vector value;
  std::memcpy(&value, address, sizeof(Vector));
  return value;
#else
  return *reinterpret_cast<const Vector*>(address);
#endif
}

/// Writes a vector to consecutive elements in one access; the address as for load_vector.
template <class Vector, class Element>
__device__ __forceinline__ void store_vector(Element* address, const Vector& value) {
  static_assert(sizeof(Vector) % sizeof(Element) == 0, "a vector holds whole elements");
#ifdef TOUCHSTONE_EMULATED
  emulation::check_alignment(address, alignof(Vector), sizeof(Vector));
  std::memcpy(address, &value, sizeof(Vector));
#else
  *reinterpret_cast<Vector*>(address) = value;
#endif
}

/// Reads a float that has been read already, so that it has a register of its own. Tensor cores take their factors from
/// neighbouring registers; a value that two of them have would else be kept once, and moved for each product.
[[nodiscard]] __device__ __forceinline__ float load_again(const float* address) {
  return *static_cast<const volatile float*>(address);
}

/// load_vector of four floats.
[[nodiscard]] __device__ __forceinline__ float4 load4(const float* address) { return load_vector<float4>(address); }

/// store_vector of four floats.
__device__ __forceinline__ void store4(float* address, const float4& value) { store_vector(address, value); }

[[nodiscard]] __device__ __forceinline__ float4 add4(const float4& a, const float4& b) {
  return make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w);
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
