// SPDX-License-Identifier: Apache-2.0
#include "host/report/training_report.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "host/report/table.h"
#include "host/report/units.h"

namespace touchstone::report {
namespace {

using Heading = EpochTable::Heading;

/// The column of a loss, and that of the accuracy which goes with it.
void add_metrics(std::vector<Heading>& columns, const std::string& set, bool autoencoder) {
  const std::string heading = set + (autoencoder ? " error" : " loss");
  columns.emplace_back(heading, std::max<std::size_t>(heading.size(), 8));
  if (!autoencoder) columns.emplace_back("accuracy", 8);
}

void add_metrics(std::vector<std::string>& cells, double loss, const std::optional<double>& accuracy) {
  cells.push_back(fmt::format("{:.4f}", loss));
  if (accuracy) cells.push_back(format_percent(*accuracy));
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

EpochTable::EpochTable(std::int64_t epochs, bool validation, bool autoencoder) {
  columns_.emplace_back("epoch", std::max<std::size_t>(5, 2 * std::to_string(epochs).size() + 1));
  add_metrics(columns_, "train", autoencoder);
  if (validation) add_metrics(columns_, "held-out", autoencoder);
  add_metrics(columns_, "test", autoencoder);
  columns_.insert(columns_.end(), {{"rate", 9}, {"time", 8}});
}

std::string EpochTable::header(const Style& style) const {
  std::vector<std::string> names;
  std::vector<std::string> rules;
  for (const Heading& column : columns_) {
    names.emplace_back(column.first);
    rules.emplace_back(column.second, '-');
  }
  return style.bold(join(columns_, names)) + "\n" + style.dim(join(columns_, rules)) + "\n";
}

std::string EpochTable::line(const EpochReport& report) const {
  std::vector<std::string> cells = {std::to_string(report.epoch)};
  add_metrics(cells, report.train_loss, report.train_accuracy);
  if (report.validation_loss) add_metrics(cells, *report.validation_loss, report.validation_accuracy);
  add_metrics(cells, report.test_loss, report.test_accuracy);
  cells.push_back(fmt::format("{:.3g}", report.learning_rate));
  cells.push_back(format_seconds(report.seconds));
  return join(columns_, cells) + "\n";
}

Json number_or_null(double number) { return std::isfinite(number) ? Json(number) : Json(nullptr); }

}  // namespace touchstone::report
