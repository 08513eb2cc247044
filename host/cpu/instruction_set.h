// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace touchstone::cpu {

/// The instruction set that the operations run with on this processor, in plain words: "AVX-512", "AVX2", "NEON".
std::string instruction_set();

}  // namespace touchstone::cpu
