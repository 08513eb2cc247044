// SPDX-License-Identifier: Apache-2.0
#include "host/report/table.h"

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <utility>

namespace touchstone::report {
namespace {

constexpr std::string_view gap = "  ";

void trim_end(std::string& line) { line.erase(line.find_last_not_of(' ') + 1); }

}  // namespace

std::string pad(const std::string& text, std::size_t width, Align align) {
  const std::size_t used = display_width(text);
  const std::string blanks(width > used ? width - used : 0, ' ');
  return align == Align::left ? text + blanks : blanks + text;
}

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

void Table::add_row(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  rows_.push_back(std::move(cells));
}

void Table::set_total(std::vector<std::string> cells) {
  cells.resize(columns_.size());
  total_ = std::move(cells);
}

std::vector<std::size_t> Table::widths() const {
  std::vector<std::size_t> widths;
  for (std::size_t column = 0; column < columns_.size(); ++column) {
    std::size_t width = display_width(columns_[column].heading);
    for (const auto& row : rows_) width = std::max(width, display_width(row[column]));
    if (!total_.empty()) width = std::max(width, display_width(total_[column]));
    widths.push_back(width);
  }
  return widths;
}

std::string Table::to_string(const Style& style) const {
  const std::vector<std::size_t> column_widths = widths();
  const auto line_of = [&](const std::vector<std::string>& cells) {
    std::string line;
    for (std::size_t column = 0; column < cells.size(); ++column) {
      if (column > 0) line += gap;
      line += pad(cells[column], column_widths[column], columns_[column].align);
    }
    trim_end(line);
    return line;
  };

  std::vector<std::string> headings;
  std::vector<std::string> rules;
  for (std::size_t column = 0; column < columns_.size(); ++column) {
    headings.push_back(columns_[column].heading);
    rules.emplace_back(column_widths[column], columns_[column].heading.empty() ? ' ' : '-');
  }
  const std::string rule = style.dim(line_of(rules)) + "\n";

  std::string text = style.bold(line_of(headings)) + "\n" + rule;
  for (const auto& row : rows_) text += line_of(row) + "\n";
  if (!total_.empty()) text += rule + line_of(total_) + "\n";
  return text;
}

}  // namespace touchstone::report
