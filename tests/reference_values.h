// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

#include "touchstone/random.h"

namespace touchstone::testing {

/// Reals in [-1, 1); each stream has other ones.
inline std::vector<double> random_reals(std::int64_t count, std::uint32_t stream) {
  std::vector<double> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = 2.0 * uniform_float(random_word(1, RandomPurpose::check, stream, i)) - 1.0;
  }
  return values;
}

/// Integers in -bound..bound; each stream has other ones.
inline std::vector<double> random_integers(std::int64_t count, std::uint32_t bound, std::uint32_t stream) {
  std::vector<double> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::uint32_t word = random_word(1, RandomPurpose::check, stream, i);
    values[i] = static_cast<double>(word % (2 * bound + 1)) - bound;
  }
  return values;
}

/// What outputs hold before they are computed, so that an element that is never written shows.
inline std::vector<double> poison(std::int64_t count) {
  return std::vector<double>(static_cast<std::size_t>(count), std::numeric_limits<double>::quiet_NaN());
}

inline double inner_product(const std::vector<double>& a, const std::vector<double>& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

}  // namespace touchstone::testing
