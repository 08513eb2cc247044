// SPDX-License-Identifier: Apache-2.0
#include "host/report/terminal.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>
#include <cstdlib>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

namespace touchstone::report {
namespace {

/// The variable's value; empty where it is not set.
std::string environment(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

bool locale_is_utf8() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    std::string value = environment(name);
    if (value.empty()) continue;
    std::transform(value.begin(), value.end(), value.begin(),
                   [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
    return value.find("utf-8") != std::string::npos || value.find("utf8") != std::string::npos;
  }
  return false;
}

}  // namespace

TerminalTraits terminal_traits(int descriptor) {
  TerminalTraits traits;
  traits.terminal = ::isatty(descriptor) == 1;
  const std::string kind = environment("TERM");
  traits.cursor = traits.terminal && !kind.empty() && kind != "dumb";
  traits.colour = traits.cursor && environment("NO_COLOR").empty();
  traits.unicode = locale_is_utf8();
  winsize size{};
  if (traits.terminal && ::ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) traits.width = size.ws_col;
  return traits;
}

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\x1b') {
      while (i < text.size() && text[i] != 'm') ++i;
    } else if ((static_cast<unsigned char>(text[i]) & 0xC0U) != 0x80U) {
      ++width;
    }
  }
  return width;
}

std::string Style::wrap(std::string_view code, std::string_view text) const {
  return colour_ ? fmt::format("\x1b[{}m{}\x1b[0m", code, text) : std::string(text);
}

std::string bar(double fraction, int width, bool unicode) {
  static constexpr std::array<std::string_view, 8> eighths = {" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  const double clamped = std::isfinite(fraction) ? std::clamp(fraction, 0.0, 1.0) : 0.0;
  const int parts = unicode ? 8 : 1;
  const int filled = static_cast<int>(std::lround(clamped * width * parts));
  std::string text;
  for (int column = 0; column < width; ++column) {
    const int here = std::clamp(filled - column * parts, 0, parts);
    if (here == parts) {
      text += unicode ? "█" : "#";
    } else {
      text += eighths[static_cast<std::size_t>(unicode ? here : 0)];
    }
  }
  return text;
}

}  // namespace touchstone::report
