// SPDX-License-Identifier: Apache-2.0
#include "host/cli/gaussian_source.h"

#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "host/cli/option_types.h"
#include "host/data/input_file.h"
#include "host/data/sample_file.h"
#include "touchstone/error.h"

namespace touchstone::cli {
namespace {

using Json = nlohmann::json;

/// Numbers of an array; `what` names it in messages: "'P.json': mean".
std::vector<double> numbers(const Json& array, const std::string& what) {
  if (!array.is_array()) throw Error(fmt::format("{}: expected an array of numbers, got {}", what, array.type_name()));
  std::vector<double> values;
  for (const Json& element : array) {
    if (!element.is_number()) {
      throw Error(
          fmt::format("{}: element {} is {}; expected a number", what, values.size(), element.dump().substr(0, 40)));
    }
    values.push_back(element.get<double>());
  }
  return values;
}

const Json& member(const Json& object, const std::string& file, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) {
    throw Error(fmt::format(R"({}: no "{}" in it; expected {{"mean": [...], "covariance": [[...], ...]}})", file, key));
  }
  return *found;
}

std::vector<double> read_covariance(const Json& rows, const std::string& file, std::size_t dimensions) {
  if (!rows.is_array() || rows.size() != dimensions) {
    throw Error(fmt::format("{}: the mean has {} dimensions, so the covariance needs as many rows; got {}", file,
                            dimensions, rows.is_array() ? std::to_string(rows.size()) : std::string(rows.type_name())));
  }
  std::vector<double> covariance;
  for (std::size_t r = 0; r < rows.size(); ++r) {
    const std::vector<double> row = numbers(rows[r], fmt::format("{}: row {} of the covariance", file, r));
    if (row.size() != dimensions) {
      throw Error(fmt::format("{}: row {} of the covariance has {} elements; expected {}, as the mean has", file, r,
                              row.size(), dimensions));
    }
    covariance.insert(covariance.end(), row.begin(), row.end());
  }
  return covariance;
}

/// Whether the first character that is not blank is a brace.
bool begins_with_brace(const std::filesystem::path& file) {
  const InputFile input(file);
  const PixelBuffer bytes = input.read_prefix(std::min<std::uint64_t>(input.size(), 4096));
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && text[first] == '{';
}

Gaussian read_gaussian(const std::filesystem::path& path) {
  const std::string file = quoted(path);
  const InputFile input(path);
  const PixelBuffer bytes = input.read_prefix(input.size());
  Json json;
  try {
    json = Json::parse(bytes.begin(), bytes.end());
  } catch (const Json::parse_error& error) {
    throw Error(fmt::format("{}: not JSON from byte {} on; expected {}", file, error.byte,
                            R"({"mean": [...], "covariance": [[...], ...]} with finite numbers)"));
  }
  std::vector<double> mean = numbers(member(json, file, "mean"), file + ": mean");
  std::vector<double> covariance = read_covariance(member(json, file, "covariance"), file, mean.size());
  return Gaussian(std::move(mean), std::move(covariance), file);
}

}  // namespace

Shrinkage parse_shrinkage(const std::string& text) {
  if (text == "none") return {};
  if (text == "auto") return {.kind = Shrinkage::Kind::automatic, .amount = 0};
  const std::optional<double> amount = parse_number<double>(text);
  if (!amount || !(*amount >= 0 && *amount <= 1)) {
    throw UsageError(fmt::format("--shrinkage: expected none, auto or a number from 0 to 1, got {}", text));
  }
  return {.kind = Shrinkage::Kind::fixed, .amount = *amount};
}

SourcedGaussian load_gaussian(const std::filesystem::path& file, const GaussianFitSettings& settings) {
  if (begins_with_brace(file)) return {read_gaussian(file), std::nullopt};
  const SampleMatrix samples = load_samples(file);
  return {fit_gaussian(samples.values, samples.dimensions, settings, quoted(file)), samples.count};
}

}  // namespace touchstone::cli
