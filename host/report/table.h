// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "host/report/terminal.h"

namespace touchstone::report {

enum class Align : std::uint8_t { left, right };

/// A heading and how the cells below it stand.
struct Column {
  std::string heading;
  Align align = Align::right;
};

/// A table in plain text: columns as wide as their widest cell, two blanks between them, a rule under the headings and
/// over the totals (none where a heading is empty). Cells may hold escape sequences and UTF-8.
class Table {
 public:
  explicit Table(std::vector<Column> columns);

  /// One cell a column.
  void add_row(std::vector<std::string> cells);
  /// The last line, under a rule of its own.
  void set_total(std::vector<std::string> cells);

  /// Lines that each end in a line feed, without blanks at their ends.
  [[nodiscard]] std::string to_string(const Style& style) const;

 private:
  [[nodiscard]] std::vector<std::size_t> widths() const;

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
  std::vector<std::string> total_;
};

/// `text` filled with blanks to `width` columns.
std::string pad(const std::string& text, std::size_t width, Align align);

}  // namespace touchstone::report
