// SPDX-License-Identifier: Apache-2.0
#include "host/cli/shell_words.h"

#include <string_view>

namespace touchstone::cli {

std::string shell_word(const std::string& text) {
  constexpr std::string_view plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./:=+@%,";
  if (!text.empty() && text.find_first_not_of(plain) == std::string::npos) return text;
  std::string quoted = "'";
  for (const char letter : text) {
    if (letter == '\'') {
      quoted += "'\\''";  // end the quotes, a quote, begin them again
    } else {
      quoted += letter;
    }
  }
  return quoted + "'";
}

}  // namespace touchstone::cli
