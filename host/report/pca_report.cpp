// SPDX-License-Identifier: Apache-2.0
#include "host/report/pca_report.h"

#include <cstddef>
#include <numbers>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "host/report/training_report.h"
#include "host/report/units.h"

namespace touchstone::report {
namespace {

std::vector<double> degrees_of(const std::vector<double>& radians) {
  std::vector<double> degrees;
  for (const double angle : radians) degrees.push_back(angle * 180 / std::numbers::pi);
  return degrees;
}

/// Of sorted values, of which there is at least one.
double median_of(const std::vector<double>& sorted) {
  return (sorted[(sorted.size() - 1) / 2] + sorted[sorted.size() / 2]) / 2;
}

}  // namespace

std::string pca_text(const PcaComparison& comparison, double loss) {
  const std::vector<double> degrees = degrees_of(comparison.angles);
  return fmt::format(
      "PCA       {:.4f} with {} components of {} training images, the optimum; the autoencoder's error is {} of it\n"
      "angles    {:.3g} degrees at most, {:.3g} in the median, between the decoder's subspace and that of PCA\n",
      comparison.loss, comparison.components, group_digits(comparison.fitted_images),
      format_percent(loss / comparison.loss), degrees.back(), median_of(degrees));
}

nlohmann::ordered_json pca_json(const PcaComparison& comparison, double loss) {
  const std::vector<double> degrees = degrees_of(comparison.angles);
  Json json;
  json["components"] = comparison.components;
  json["fitted_images"] = comparison.fitted_images;
  json["loss"] = comparison.loss;
  json["ratio"] = number_or_null(loss / comparison.loss);
  json["largest_angle"] = degrees.back();
  json["median_angle"] = median_of(degrees);
  json["angles"] = degrees;
  return json;
}

}  // namespace touchstone::report
