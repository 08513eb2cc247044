// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <toml++/toml.h>

#include "touchstone/network.h"

namespace touchstone {

/// Parses a TOML document; throws Error "<origin>:<line>: <what is wrong>".
toml::table parse_toml(std::string_view text, std::string_view origin);

/// Reads the keys of one TOML table strictly: what is missing, of another type, out of range or unknown is an Error
/// that names origin, line, table and key, what was expected and what came. The table outlives the reader.
///
/// The accessors named after a type require their key; the overloads of maybe() leave `value` as it is where the key
/// is absent.
class TomlReader {
 public:
  /// `what` says what the table describes ("layer conv1", "[training]") in messages.
  TomlReader(const toml::table& table, std::string origin, std::string what);

  std::string string(std::string_view key);
  std::int64_t integer(std::string_view key, std::int64_t minimum);
  /// An integer for both axes, or [height, width].
  Size2d size2d(std::string_view key, std::int64_t minimum);
  /// An array of `count` integers.
  std::vector<std::int64_t> integers(std::string_view key, std::size_t count, std::int64_t minimum);
  /// One of `names`; its index.
  std::size_t choice(std::string_view key, const std::vector<std::string>& names);
  /// The tables of an array of tables ([[key]]), at least one.
  std::vector<const toml::table*> tables(std::string_view key);

  void maybe(std::string_view key, std::string& value);
  void maybe(std::string_view key, std::int64_t& value, std::int64_t minimum);
  void maybe(std::string_view key, double& value, double minimum);
  void maybe(std::string_view key, bool& value);
  void maybe(std::string_view key, Size2d& value, std::int64_t minimum);
  /// The table [key], or nullptr where it is absent.
  const toml::table* maybe_table(std::string_view key);
  /// Whether the table has the key, which counts as known from here on.
  bool has(std::string_view key);

  /// Throws Error for the first key that nobody asked for, with the nearest that could have been meant.
  void finish() const;

  /// Throws Error about a key of this table.
  [[noreturn]] void fail(std::string_view key, const std::string& message) const;

 private:
  const toml::node& require(std::string_view key);
  std::int64_t checked_integer(std::string_view key, const toml::node& node, std::int64_t minimum) const;

  const toml::table& table_;
  std::string origin_;
  std::string what_;
  std::vector<std::string> known_;
};

/// Reads the keys of a [training] table into `recipe`: keys that are absent keep the values it has, except that naming
/// an optimizer takes that optimizer's defaults first.
void read_recipe(TomlReader& reader, TrainingRecipe& recipe);

/// The lines of a [training] table that read_recipe() reads back to the same recipe.
std::string write_recipe(const TrainingRecipe& recipe);

}  // namespace touchstone
