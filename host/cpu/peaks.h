// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace touchstone::cpu {

/// target[i] = source[i], by vectors.
void copy(std::int64_t count, const float* source, float* target);

/// `rounds` multiply-adds in each lane of some vectors that stay in registers, more of them than a core has under way
/// at a time; how many multiply-adds that makes.
std::int64_t multiply_add(std::int64_t rounds);
/// The same in double precision.
std::int64_t multiply_add_double(std::int64_t rounds);

}  // namespace touchstone::cpu
