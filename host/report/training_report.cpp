// SPDX-License-Identifier: Apache-2.0
#include "host/report/training_report.h"

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "host/report/table.h"
#include "host/report/units.h"

namespace touchstone::report {
namespace {

/// A heading with the width of what stands below it.
using Heading = std::pair<std::string_view, std::size_t>;

std::vector<Heading> headings(std::size_t epoch_width, bool validation) {
  std::vector<Heading> all = {{"epoch", epoch_width}, {"train loss", 10}, {"accuracy", 8}};
  if (validation) all.insert(all.end(), {{"held-out loss", 13}, {"accuracy", 8}});
  all.insert(all.end(), {{"test loss", 9}, {"accuracy", 8}, {"rate", 9}, {"time", 8}});
  return all;
}

std::string join(const std::vector<Heading>& columns, const std::vector<std::string>& cells) {
  std::string line;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (i > 0) line += "  ";
    line += pad(cells[i], columns[i].second, Align::right);
  }
  return line;
}

}  // namespace

EpochTable::EpochTable(std::int64_t epochs, bool validation)
    : epoch_width_(std::max<std::size_t>(5, 2 * std::to_string(epochs).size() + 1)), validation_(validation) {}

std::string EpochTable::header(const Style& style) const {
  const std::vector<Heading> columns = headings(epoch_width_, validation_);
  std::vector<std::string> names;
  std::vector<std::string> rules;
  for (const Heading& column : columns) {
    names.emplace_back(column.first);
    rules.emplace_back(column.second, '-');
  }
  return style.bold(join(columns, names)) + "\n" + style.dim(join(columns, rules)) + "\n";
}

std::string EpochTable::line(const EpochReport& report) const {
  std::vector<std::string> cells = {std::to_string(report.epoch), fmt::format("{:.4f}", report.train_loss),
                                    format_percent(report.train_accuracy)};
  if (validation_) {
    cells.push_back(fmt::format("{:.4f}", report.validation_loss.value_or(0)));
    cells.push_back(format_percent(report.validation_accuracy.value_or(0)));
  }
  cells.push_back(fmt::format("{:.4f}", report.test_loss));
  cells.push_back(format_percent(report.test_accuracy));
  cells.push_back(fmt::format("{:.3g}", report.learning_rate));
  cells.push_back(format_seconds(report.seconds));
  return join(headings(epoch_width_, validation_), cells) + "\n";
}

Json number_or_null(double number) { return std::isfinite(number) ? Json(number) : Json(nullptr); }

}  // namespace touchstone::report
