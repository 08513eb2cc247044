// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace touchstone::cpu {

/// The instruction set that the operations run with on this processor, in plain words: "AVX-512", "AVX2", "NEON".
std::string instruction_set();

/// All that could be used on this processor, the fastest first.
std::vector<std::string> instruction_sets();

/// From now on the operations of the whole process use no better one than `name`, of instruction_sets(): for
/// comparisons, and for the same bits as on a processor that has no better. Not while operations run. Throws UsageError
/// for another name.
void limit_instruction_set(const std::string& name);

}  // namespace touchstone::cpu
