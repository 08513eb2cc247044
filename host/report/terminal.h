// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace touchstone::report {

/// What a stream can show.
struct TerminalTraits {
  bool terminal = false;  ///< a person may be looking at it
  bool cursor = false;    ///< a terminal whose lines can be drawn anew: TERM is set and not "dumb"
  bool colour = false;    ///< the same, and NO_COLOR is not set (no-color.org)
  bool unicode = false;   ///< the locale's encoding is UTF-8
  int width = 80;         ///< columns
};

/// The traits of a file descriptor, from the terminal behind it and the environment (NO_COLOR, TERM, LC_ALL, LC_CTYPE,
/// LANG).
TerminalTraits terminal_traits(int descriptor);

/// The columns that `text` takes on a terminal: its code points, escape sequences left out.
std::size_t display_width(std::string_view text);

/// Puts text into colours, or leaves it alone where colours are not wanted.
class Style {
 public:
  explicit Style(bool colour = false) : colour_(colour) {}

  [[nodiscard]] bool colour() const { return colour_; }
  [[nodiscard]] std::string bold(std::string_view text) const { return wrap("1", text); }
  [[nodiscard]] std::string dim(std::string_view text) const { return wrap("2", text); }
  [[nodiscard]] std::string red(std::string_view text) const { return wrap("1;31", text); }
  [[nodiscard]] std::string green(std::string_view text) const { return wrap("32", text); }
  [[nodiscard]] std::string yellow(std::string_view text) const { return wrap("33", text); }
  [[nodiscard]] std::string cyan(std::string_view text) const { return wrap("36", text); }

 private:
  [[nodiscard]] std::string wrap(std::string_view code, std::string_view text) const;

  bool colour_;
};

/// A horizontal bar `width` columns wide, filled to `fraction` (0..1), in eighths of a column where Unicode is there;
/// the rest is blank.
std::string bar(double fraction, int width, bool unicode);

}  // namespace touchstone::report
