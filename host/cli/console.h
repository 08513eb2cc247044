// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "host/report/terminal.h"

namespace touchstone::cli {

/// Where the program's words go. Results for people go to standard output; with --json they make room for the JSON and
/// go to standard error; with --quiet they are not written at all.
class Console {
 public:
  Console(bool json, bool quiet);

  [[nodiscard]] bool wants_json() const { return json_; }
  [[nodiscard]] bool quiet() const { return quiet_; }
  /// What the stream that print() writes to can show.
  [[nodiscard]] const report::TerminalTraits& traits() const { return traits_; }
  [[nodiscard]] report::Style style() const { return report::Style(traits_.colour); }

  /// A result for people. Throws Error where standard output cannot be written.
  void print(std::string_view text) const;
  /// The result with --json; nothing otherwise. Throws Error as print.
  void print_json(const nlohmann::ordered_json& value) const;

 private:
  bool json_;
  bool quiet_;
  report::TerminalTraits traits_;
};

/// Writes to standard output, all of it and at once. Throws Error where that is not possible.
void write_output(std::string_view text);

/// Writes to standard error; where that is not possible nobody can be told.
void write_message(std::string_view text) noexcept;

/// Prints "touchstone: error: MESSAGE" in one line on standard error.
void print_error(std::string_view message);

/// Makes the standard streams safe to use: closed ones are replaced, lest a file that is opened later takes their
/// number and gets what is meant for them, and a reader that goes away makes a write fail instead of ending the
/// program without a word.
void protect_standard_streams();

}  // namespace touchstone::cli
