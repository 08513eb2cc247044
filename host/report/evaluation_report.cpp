// SPDX-License-Identifier: Apache-2.0
#include "host/report/evaluation_report.h"

#include <cstddef>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "host/report/table.h"
#include "host/report/training_report.h"
#include "host/report/units.h"

namespace touchstone::report {
namespace {

double ratio(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

std::string class_table(const std::vector<ClassScore>& scores, const Style& style) {
  Table table({{"class"}, {"images"}, {"predicted"}, {"precision"}, {"recall"}, {"F1"}});
  for (std::size_t label = 0; label < scores.size(); ++label) {
    const ClassScore& score = scores[label];
    table.add_row({std::to_string(label), group_digits(score.count), group_digits(score.predicted),
                   format_percent(score.precision), format_percent(score.recall), fmt::format("{:.4f}", score.f1)});
  }
  return table.to_string(style);
}

/// Correct ones in green, mistakes in yellow, zeros as a dot: the eye finds what is confused with what.
std::string confusion_cell(std::int64_t images, bool correct, const Style& style) {
  if (images == 0) return style.dim(".");
  return correct ? style.green(std::to_string(images)) : style.yellow(std::to_string(images));
}

std::string confusion_table(const std::vector<std::vector<std::int64_t>>& confusion, const Style& style) {
  std::vector<Column> columns = {{"label"}};
  for (std::size_t prediction = 0; prediction < confusion.size(); ++prediction) {
    columns.push_back({std::to_string(prediction)});
  }
  Table table(std::move(columns));
  for (std::size_t label = 0; label < confusion.size(); ++label) {
    std::vector<std::string> cells = {std::to_string(label)};
    for (std::size_t prediction = 0; prediction < confusion[label].size(); ++prediction) {
      cells.push_back(confusion_cell(confusion[label][prediction], label == prediction, style));
    }
    table.add_row(std::move(cells));
  }
  return table.to_string(style);
}

}  // namespace

std::vector<ClassScore> class_scores(const std::vector<std::vector<std::int64_t>>& confusion) {
  std::vector<ClassScore> scores(confusion.size());
  for (std::size_t label = 0; label < confusion.size(); ++label) {
    for (std::size_t prediction = 0; prediction < confusion[label].size(); ++prediction) {
      scores[label].count += confusion[label][prediction];
      scores[prediction].predicted += confusion[label][prediction];
    }
  }
  for (std::size_t label = 0; label < confusion.size(); ++label) {
    ClassScore& score = scores[label];
    const std::int64_t found = confusion[label][label];
    score.precision = ratio(found, score.predicted);
    score.recall = ratio(found, score.count);
    score.f1 = ratio(2 * found, score.predicted + score.count);
  }
  return scores;
}

std::string evaluation_text(const Evaluation& evaluation, const Style& style) {
  if (!evaluation.accuracy) {
    return fmt::format("error     {} (half the squared error of a reconstruction, mean over {} images)\n",
                       style.bold(fmt::format("{:.4f}", evaluation.loss)), group_digits(evaluation.count));
  }
  std::string text =
      fmt::format("accuracy  {} of {} images\nloss      {:.4f}\n\n", style.bold(format_percent(*evaluation.accuracy)),
                  group_digits(evaluation.count), evaluation.loss);
  text += class_table(class_scores(evaluation.confusion), style);
  text += "\nconfusion (rows: labels; columns: predictions)\n" + confusion_table(evaluation.confusion, style);
  return text;
}

nlohmann::ordered_json evaluation_json(const Evaluation& evaluation) {
  Json json;
  if (evaluation.accuracy) json["test_accuracy"] = number_or_null(*evaluation.accuracy);
  json["test_loss"] = number_or_null(evaluation.loss);
  json["count"] = evaluation.count;
  if (!evaluation.accuracy) return json;
  json["per_class"] = Json::array();
  const std::vector<ClassScore> scores = class_scores(evaluation.confusion);
  for (std::size_t label = 0; label < scores.size(); ++label) {
    Json row;
    row["class"] = label;
    row["count"] = scores[label].count;
    row["predicted"] = scores[label].predicted;
    row["precision"] = scores[label].precision;
    row["recall"] = scores[label].recall;
    row["f1"] = scores[label].f1;
    json["per_class"].push_back(std::move(row));
  }
  json["confusion_matrix"] = evaluation.confusion;
  return json;
}

}  // namespace touchstone::report
