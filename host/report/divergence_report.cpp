// SPDX-License-Identifier: Apache-2.0
#include "host/report/divergence_report.h"

#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "host/report/table.h"
#include "host/report/units.h"

namespace touchstone::report {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* direction = "kl[p][q] = KL(p || q) in nats: row p, column q";

/// |KL(P || Q) - KL(Q || P)| as a part of their sum.
double asymmetry_of(const DivergenceMatrix& matrix, std::size_t p, std::size_t q) {
  const double sum = matrix.jeffreys(p, q);
  return sum > 0 ? std::abs(matrix.at(p, q) - matrix.at(q, p)) / sum : 0;
}

/// Four significant digits, without an exponent where the number is of a usual size.
std::string number(double value) {
  if (value == 0) return "0";
  if (value >= 1000 && value < 1e7) return group_digits(std::llround(value));
  return fmt::format("{:#.4g}", value);
}

std::string pair_text(const DivergenceMatrix& matrix, const GaussianPair& pair) {
  return fmt::format("{} and {}: KL({} || {}) = {}, KL({} || {}) = {}", matrix.names[pair.p], matrix.names[pair.q],
                     matrix.names[pair.p], matrix.names[pair.q], number(matrix.at(pair.p, pair.q)),
                     matrix.names[pair.q], matrix.names[pair.p], number(matrix.at(pair.q, pair.p)));
}

Json pair_json(const DivergenceMatrix& matrix, const GaussianPair& pair) {
  Json json;
  json["p"] = matrix.names[pair.p];
  json["q"] = matrix.names[pair.q];
  json["kl"] = matrix.at(pair.p, pair.q);
  json["reverse_kl"] = matrix.at(pair.q, pair.p);
  json["jeffreys"] = matrix.jeffreys(pair.p, pair.q);
  return json;
}

std::string verdict(const DriftReport& report) {
  return report.drift ? "drift: the data differ from the reference by more than chance explains"
                      : "no drift: the data differ from the reference by no more than chance explains";
}

}  // namespace

DivergenceSummary summarise(const DivergenceMatrix& matrix) {
  DivergenceSummary summary{.most_alike = {0, 1}, .least_alike = {0, 1}, .most_asymmetric = {0, 1}, .asymmetry = 0};
  const auto jeffreys = [&](const GaussianPair& pair) { return matrix.jeffreys(pair.p, pair.q); };
  const auto asymmetry = [&](const GaussianPair& pair) { return asymmetry_of(matrix, pair.p, pair.q); };
  double sum = 0;
  double pairs = 0;
  for (std::size_t p = 0; p < matrix.names.size(); ++p) {
    for (std::size_t q = p + 1; q < matrix.names.size(); ++q) {
      const GaussianPair pair = {p, q};
      if (jeffreys(pair) < jeffreys(summary.most_alike)) summary.most_alike = pair;
      if (jeffreys(pair) > jeffreys(summary.least_alike)) summary.least_alike = pair;
      if (asymmetry(pair) > asymmetry(summary.most_asymmetric)) summary.most_asymmetric = pair;
      sum += asymmetry(pair);
      pairs += 1;
    }
  }
  summary.asymmetry = sum / pairs;
  return summary;
}

std::string divergence_matrix_text(const DivergenceMatrix& matrix, const Style& style) {
  std::vector<Column> columns = {{"p \\ q", Align::left}};
  for (const std::string& name : matrix.names) columns.push_back({name});
  Table table(columns);
  for (std::size_t p = 0; p < matrix.names.size(); ++p) {
    std::vector<std::string> cells = {matrix.names[p]};
    for (std::size_t q = 0; q < matrix.names.size(); ++q) cells.push_back(p == q ? "." : number(matrix.at(p, q)));
    table.add_row(std::move(cells));
  }
  std::string text = "KL(p || q) in nats (rows: p; columns: q)\n" + table.to_string(style);
  if (matrix.names.size() < 2) return text;
  const DivergenceSummary summary = summarise(matrix);
  text += "\nmost alike   " + pair_text(matrix, summary.most_alike);
  text += "\nleast alike  " + pair_text(matrix, summary.least_alike);
  text += fmt::format("\nasymmetry    {} of KL(p || q) + KL(q || p) on average; the largest, {}, of ",
                      format_percent(summary.asymmetry),
                      format_percent(asymmetry_of(matrix, summary.most_asymmetric.p, summary.most_asymmetric.q)));
  return text + pair_text(matrix, summary.most_asymmetric) + "\n";
}

nlohmann::ordered_json divergence_matrix_json(const DivergenceMatrix& matrix) {
  Json json;
  json["direction"] = direction;
  json["kl"] = Json::array();
  for (std::size_t p = 0; p < matrix.names.size(); ++p) {
    Json row = Json::array();
    for (std::size_t q = 0; q < matrix.names.size(); ++q) row.push_back(matrix.at(p, q));
    json["kl"].push_back(std::move(row));
  }
  if (matrix.names.size() < 2) return json;
  const DivergenceSummary summary = summarise(matrix);
  json["most_alike"] = pair_json(matrix, summary.most_alike);
  json["least_alike"] = pair_json(matrix, summary.least_alike);
  json["most_asymmetric"] = pair_json(matrix, summary.most_asymmetric);
  json["asymmetry"] = summary.asymmetry;
  return json;
}

std::string pair_divergences_text(const PairDivergences& divergences) {
  return fmt::format(
      "KL(P || Q)      {:.15g} nats\nKL(Q || P)      {:.15g} nats\nJeffreys        {:.15g} nats, their sum\n"
      "Jensen-Shannon  {:.4g} nats, give or take {:.2g} (one standard error)\n",
      divergences.kl, divergences.reverse_kl, divergences.jeffreys, divergences.jensen_shannon.value,
      divergences.jensen_shannon.standard_error);
}

nlohmann::ordered_json pair_divergences_json(const PairDivergences& divergences) {
  Json json;
  json["kl"] = divergences.kl;
  json["reverse_kl"] = divergences.reverse_kl;
  json["jeffreys"] = divergences.jeffreys;
  json["jensen_shannon"] = divergences.jensen_shannon.value;
  json["jensen_shannon_standard_error"] = divergences.jensen_shannon.standard_error;
  return json;
}

std::string drift_text(const DriftReport& report, const DriftSettings& settings, const Style& style) {
  std::string text = fmt::format("KL(data || reference)  {} nats\nKL(reference || data)  {} nats\n", number(report.kl),
                                 number(report.reverse_kl));
  text += fmt::format("without drift          {} nats; {} of {} permutations between {} and {}\n",
                      number(report.chance_mean), format_percent(1 - settings.level), settings.permutations,
                      number(report.chance_low), number(report.chance_high));
  text += fmt::format("p                      {:.3g}\n\n", report.p_value);
  return text + (report.drift ? style.yellow(verdict(report)) : style.green(verdict(report))) + "\n";
}

nlohmann::ordered_json drift_json(const DriftReport& report, const DriftSettings& settings) {
  Json json;
  json["kl"] = report.kl;
  json["reverse_kl"] = report.reverse_kl;
  json["chance"] = {{"mean", report.chance_mean}, {"low", report.chance_low}, {"high", report.chance_high}};
  json["permutations"] = settings.permutations;
  json["level"] = settings.level;
  json["p_value"] = report.p_value;
  json["drift"] = report.drift;
  json["verdict"] = verdict(report);
  return json;
}

}  // namespace touchstone::report
