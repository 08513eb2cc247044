// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

namespace touchstone::cpu {

/// sum[i] = partials[0][begin + i] + partials[1][begin + i] + ..., added in this order, for 0 <= i < count. At least
/// one partial.
void sum_partials(std::span<const float* const> partials, std::int64_t begin, std::int64_t count, float* sum);

}  // namespace touchstone::cpu
