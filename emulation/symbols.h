// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace touchstone::emulation {

/// The mangled name of the function at an address, from the symbol table of the program or library that holds it;
/// empty where that was stripped. The string lives as long as the program.
const std::string& symbol_name(const void* function);

/// The function's name for a person, without parameters and namespaces: conv2d_forward<5>.
std::string readable_name(const void* function);

}  // namespace touchstone::emulation
