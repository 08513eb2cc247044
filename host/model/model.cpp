// SPDX-License-Identifier: Apache-2.0
#include "touchstone/model.h"

#include <cmath>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "host/model/parameters.h"
#include "host/model/safetensors.h"
#include "touchstone/error.h"

namespace touchstone {
namespace {

/// A number without an exponent that reads back to the same double.
std::string plain_decimal(double value) {
  for (int digits = 1; digits <= 25; ++digits) {
    std::string text = fmt::format("{:.{}f}", value, digits);
    if (std::stod(text) == value) return text;
  }
  return fmt::format("{}", value);
}

std::string metadata_field(const Safetensors& contents, const std::string& key, const std::string& file) {
  const auto found = contents.metadata.find(key);
  if (found == contents.metadata.end()) {
    throw Error(fmt::format("{}: its metadata lack `{}`: not a model saved by Touchstone", file, key));
  }
  return found->second;
}

Normalisation parse_normalisation(const std::string& text, const std::string& file) {
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  const auto number = [&](const char* key) {
    if (!json.is_object() || !json.contains(key) || !json[key].is_number()) {
      throw Error(fmt::format("{}: metadata `normalisation`: expected {{\"mean\": number, \"std\": number}}, not {}",
                              file, text));
    }
    return json[key].get<double>();
  };
  const Normalisation normalisation{number("mean"), number("std")};
  if (!std::isfinite(normalisation.mean) || !(normalisation.std > 0)) {
    throw Error(fmt::format("{}: metadata `normalisation`: expected a positive std, not {}", file, text));
  }
  return normalisation;
}

std::vector<float> to_float(const std::vector<double>& values) { return {values.begin(), values.end()}; }

void refuse_other_tensors(const Safetensors& contents, const Network& network, const std::string& file) {
  if (contents.tensors.size() == parameter_tensors(network).size()) return;
  std::map<std::string, Tensor> others = contents.tensors;
  for (const ParameterTensor& parameter : parameter_tensors(network)) others.erase(parameter.name);
  if (others.empty()) return;
  throw Error(fmt::format("{}: the tensor `{}` belongs to no layer of the network `{}`", file, others.begin()->first,
                          network.name()));
}

}  // namespace

void Model::save(const std::filesystem::path& file) const {
  Safetensors contents;
  add_tensors(std::vector<double>(parameters.begin(), parameters.end()), "", TensorType::float32, network,
              contents.tensors);
  contents.metadata = {{"network", network.toml()},
                       {"normalisation", fmt::format(R"({{"mean": {}, "std": {}}})", plain_decimal(normalisation.mean),
                                                     plain_decimal(normalisation.std))},
                       {"classes", fmt::format("{}", network.classes())}};
  contents.save(file);
}

Model Model::load(const std::filesystem::path& file) {
  const std::string name = file.string();
  const Safetensors contents = Safetensors::load(file);
  const Network network = Network::parse(metadata_field(contents, "network", name), name + " (metadata `network`)");
  const std::string classes = metadata_field(contents, "classes", name);
  if (classes != fmt::format("{}", network.classes())) {
    throw Error(
        fmt::format("{}: metadata `classes` is {}; its network has {} outputs", name, classes, network.classes()));
  }
  const Normalisation normalisation = parse_normalisation(metadata_field(contents, "normalisation", name), name);
  const std::vector<double> parameters = read_tensors(contents.tensors, "", network, name);
  refuse_other_tensors(contents, network, name);
  return {network, normalisation, to_float(parameters)};
}

std::vector<float> load_parameters(const std::filesystem::path& file, const Network& network) {
  const Safetensors contents = Safetensors::load(file);
  const std::vector<double> parameters = read_tensors(contents.tensors, "", network, file.string());
  refuse_other_tensors(contents, network, file.string());
  return to_float(parameters);
}

}  // namespace touchstone
