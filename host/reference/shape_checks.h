// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string_view>

namespace touchstone::reference {

/// A field of a shape and the smallest value it may have.
struct NamedSize {
  std::string_view name;
  std::int64_t value = 0;
  std::int64_t minimum = 1;
};

/// Throws Error naming the first size that is below its minimum or above 2^31 - 1. Within these limits a sum of a few
/// sizes cannot overflow.
void require_sizes(std::string_view operation, std::initializer_list<NamedSize> sizes);

/// Throws Error where the product of the (positive) factors, which counts `what`, does not fit into 63 bits.
void require_countable(std::string_view operation, std::string_view what, std::initializer_list<std::int64_t> factors);

}  // namespace touchstone::reference
