// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <type_traits>

#include "kernels/backend.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// How kernels that work row by row of a [batch,columns] matrix share a row among lanes of a warp: a power of two, so
/// many that each lane has two columns or (beyond 64 columns) more. 10 columns take 8 lanes: 4 rows a warp.
[[nodiscard]] inline int lanes_per_row(std::int64_t columns) {
  const auto pairs = static_cast<std::uint64_t>((columns + 1) / 2);
  return static_cast<int>(std::min<std::uint64_t>(std::bit_ceil(pairs), warp_size));
}

/// Calls `use` with the number of lanes as a compile-time constant.
template <class Use>
void with_lanes(int lanes, Use use) {
  switch (lanes) {
    case 1:
      return use(std::integral_constant<int, 1>());
    case 2:
      return use(std::integral_constant<int, 2>());
    case 4:
      return use(std::integral_constant<int, 4>());
    case 8:
      return use(std::integral_constant<int, 8>());
    case 16:
      return use(std::integral_constant<int, 16>());
    default:
      return use(std::integral_constant<int, warp_size>());
  }
}

inline constexpr unsigned full_warp = 0xFFFFFFFFU;

#if defined(__CUDACC__) || defined(TOUCHSTONE_EMULATED)
/// The sum over a row's lanes, the same in each: the two halves are added in the same order on both sides.
template <int LANES>
[[nodiscard]] __device__ __forceinline__ float lanes_sum(float value) {
  for (int offset = LANES / 2; offset > 0; offset /= 2) {
    value += __shfl_xor_sync(full_warp, value, offset);
  }
  return value;
}
#endif

}  // namespace touchstone::TOUCHSTONE_BACKEND
