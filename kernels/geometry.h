// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <limits>
#include <string>

#include "kernels/backend.h"
#include "touchstone/error.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// numerator / denominator rounded up; neither is negative.
template <class T>
[[nodiscard]] __host__ __device__ constexpr T divide_up(T numerator, T denominator) {
  return (numerator + denominator - 1) / denominator;
}

/// The smallest multiple of `unit` that is at least `value`.
template <class T>
[[nodiscard]] __host__ __device__ constexpr T round_up(T value, T unit) {
  return divide_up(value, unit) * unit;
}

/// The smallest number that is at least `value` and leaves the rest `residue` when divided by `unit`.
[[nodiscard]] constexpr int round_up_to_residue(int value, int residue, int unit) {
  return value + ((residue - value) % unit + unit) % unit;
}

/// Shares `total` among as few parts of at most `most` as possible, all about equal; returns the size of a part.
[[nodiscard]] constexpr int even_part(int total, int most) {
  return divide_up(total, divide_up(total, total < most ? total : most));
}

/// Throws Error where `value` needs more than 32 bits: sizes within one image or one filter fit, products with the
/// batch are computed in 64 bits.
inline int narrow(std::int64_t value, const char* what) {
  if (value < 0 || value > std::numeric_limits<int>::max()) {
    throw Error(std::string(what) + " is " + std::to_string(value) + "; the CUDA kernels take 0 to 2147483647");
  }
  return static_cast<int>(value);
}

/// The x dimension of a grid; throws Error beyond 2^31-1 blocks.
[[nodiscard]] inline unsigned grid_size(std::int64_t blocks) {
  return static_cast<unsigned>(narrow(blocks, "the number of blocks of a launch"));
}

/// Whether an address is fit for 16-byte accesses.
[[nodiscard]] inline bool is_aligned16(const void* address) {
  return reinterpret_cast<std::uintptr_t>(address) % 16 == 0;
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
