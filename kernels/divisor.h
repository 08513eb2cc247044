// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/backend.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// A divisor that is known before a kernel starts: dividing by it takes a multiplication instead of some twenty
/// instructions. With m = ceil(2^32 / d), n*m / 2^32 exceeds n / d by less than n / 2^32, which cannot reach the next
/// whole number while n*d < 2^32.
struct Divisor {
  int value;
  unsigned multiplier;  ///< m; 0 for 1, whose m has 33 bits

  bool operator==(const Divisor&) const = default;
};

/// Of a positive number.
[[nodiscard]] constexpr Divisor make_divisor(int value) {
  constexpr unsigned long long range = 1ULL << 32U;
  const auto divisor = static_cast<unsigned long long>(value);
  return {value, value == 1 ? 0U : static_cast<unsigned>((range + divisor - 1) / divisor)};
}

#if defined(__CUDACC__) || defined(TOUCHSTONE_EMULATED)
/// number / divisor.value, rounded down; the number is not negative, and its product with the divisor below 2^32.
[[nodiscard]] __device__ __forceinline__ int operator/(int number, const Divisor& divisor) {
#ifdef __CUDA_ARCH__
  __builtin_assume(number >= 0);
#endif
  const unsigned quotient = __umulhi(static_cast<unsigned>(number), divisor.multiplier);
  return divisor.multiplier == 0 ? number : static_cast<int>(quotient);
}
#endif

}  // namespace touchstone::TOUCHSTONE_BACKEND
