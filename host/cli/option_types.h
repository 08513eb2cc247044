// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <charconv>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "touchstone/error.h"

namespace touchstone::cli {

// The kinds of values that options take. Each function adds an option that may be repeated (the last one counts) and
// throws UsageError, naming the option, what it takes and what it got, while the command line is parsed.

/// What an option accepts, ends included.
template <typename Number>
struct Range {
  Number least = std::numeric_limits<Number>::lowest();
  Number most = std::numeric_limits<Number>::max();
};

/// Reads all of `text` as a number; nothing where it is none or does not fit the type.
template <typename Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number{};
  const char* const end = text.data() + text.size();
  const std::from_chars_result result = std::from_chars(text.data(), end, number);
  if (result.ec != std::errc{} || result.ptr != end) return std::nullopt;
  return number;
}

/// Adds an option that takes one text and hands it to `take`.
CLI::Option* add_value(CLI::App& app, const std::string& name, const std::string& type,
                       std::function<void(const std::string&)> take, const std::string& description);

/// "a whole number from 1 to 9", or "... of at least 1" where there is no upper end to speak of.
template <typename Number>
std::string range_text(std::string_view kind, const Range<Number>& range) {
  if (range.most == std::numeric_limits<Number>::max()) return fmt::format("{} of at least {}", kind, range.least);
  return fmt::format("{} from {} to {}", kind, range.least, range.most);
}

/// A whole number in decimal digits.
template <typename Number>
CLI::Option* add_whole(CLI::App& app, const std::string& name, std::optional<Number>& value, Range<Number> range,
                       const std::string& description) {
  const auto take = [name, &value, range](const std::string& text) {
    const std::optional<Number> number = parse_number<Number>(text);
    if (!number || *number < range.least || *number > range.most) {
      throw UsageError(fmt::format("{}: expected {}, got {}", name, range_text("a whole number", range), text));
    }
    value = number;
  };
  return add_value(app, name, "N", take, description);
}

/// A finite number; `most` may be excluded.
CLI::Option* add_real(CLI::App& app, const std::string& name, std::optional<double>& value, Range<double> range,
                      const std::string& description);

/// One of some words.
CLI::Option* add_choice(CLI::App& app, const std::string& name, std::optional<std::string>& value,
                        const std::vector<std::string>& choices, const std::string& description);

/// The name of a device: one of device_names(), as it is or with a number (cuda:1).
CLI::Option* add_device(CLI::App& app, const std::string& name, std::optional<std::string>& value,
                        const std::string& description);

/// A text or path that is not empty.
CLI::Option* add_text(CLI::App& app, const std::string& name, const std::string& type,
                      std::optional<std::string>& value, const std::string& description);
CLI::Option* add_path(CLI::App& app, const std::string& name, const std::string& type,
                      std::optional<std::filesystem::path>& value, const std::string& description);

/// Words, with commas between them ("a,b") or one by one as the option is repeated; what each may be, who uses them
/// says.
CLI::Option* add_words(CLI::App& app, const std::string& name, const std::string& type, std::vector<std::string>& words,
                       const std::string& description);

/// "a, b or c".
std::string list_words(const std::vector<std::string>& words);

/// ": did you mean NEAREST?", or ": expected A, B or C" where nothing is near.
std::string spelling_hint(const std::string& word, const std::vector<std::string>& candidates);

}  // namespace touchstone::cli
