// SPDX-License-Identifier: Apache-2.0
#include "host/reference/shape_checks.h"

#include <cstdint>
#include <limits>

#include <fmt/format.h>

#include "touchstone/error.h"

namespace touchstone::reference {

namespace {

constexpr std::int64_t largest_size = std::numeric_limits<std::int32_t>::max();

}  // namespace

void require_sizes(std::string_view operation, std::initializer_list<NamedSize> sizes) {
  for (const NamedSize& size : sizes) {
    if (size.value < size.minimum) {
      throw Error(fmt::format("{}: {} is {}; it must be at least {}", operation, size.name, size.value, size.minimum));
    }
    if (size.value > largest_size) {
      throw Error(fmt::format("{}: {} is {}; it must be at most {}", operation, size.name, size.value, largest_size));
    }
  }
}

void require_countable(std::string_view operation, std::string_view what, std::initializer_list<std::int64_t> factors) {
  std::int64_t product = 1;
  for (const std::int64_t factor : factors) {
    if (factor > std::numeric_limits<std::int64_t>::max() / product) {
      throw Error(fmt::format("{}: the number of {} is too large; it must be below 2^63", operation, what));
    }
    product *= factor;
  }
}

}  // namespace touchstone::reference
