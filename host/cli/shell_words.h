// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

namespace touchstone::cli {

/// `text` as one word for the shell: quoted where it holds anything but letters, digits and -_./:=+@%,
std::string shell_word(const std::string& text);

}  // namespace touchstone::cli
