// SPDX-License-Identifier: Apache-2.0
#include "host/cli/model_data.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "host/cli/device_text.h"
#include "host/cli/model_argument.h"
#include "host/cli/option_types.h"
#include "host/report/units.h"
#include "host/train/run_directory.h"

namespace touchstone::cli {
namespace {

/// The data that were asked for; for a run directory otherwise those that the run was trained on.
DataSource choose_data(const ModelDataOptions& options) {
  if (options.data.given() || !std::filesystem::exists(*options.model / config_file)) return options.data.source();
  return RunConfiguration::load(*options.model).data;
}

}  // namespace

void add_model_data_options(CLI::App& app, ModelDataOptions& options) {
  add_path(app, "MODEL", "MODEL", options.model, "A .safetensors file, or the directory of a run")->group("Model");
  add_data_options(app, options.data, "mnist, or what the run was trained on");
  add_choice(app, "--split", options.split, {"train", "test"}, "Which images of the data")
      ->group("Data")
      ->default_str("test");
}

std::string ModelData::text() const {
  return fmt::format("model     {} ({})\ndata      {}, {} {} images\ndevice    {}\npath      {}\n", file.string(),
                     model.network.name(), dataset.name, report::group_digits(images()->count),
                     training ? "training" : "test", device_text(device), path_text(device, model.network));
}

nlohmann::ordered_json ModelData::json() const {
  nlohmann::ordered_json json;
  json["model"] = file.string();
  json["network"] = model.network.name();
  json["dataset"] = dataset.name;
  json["split"] = training ? "train" : "test";
  json["device"] = device.name;
  json["path"] = path_text(device, model.network);
  return json;
}

ModelData load_model_data(const ModelDataOptions& options, const GlobalOptions& global) {
  const std::filesystem::path file = find_model(options.model);
  Model model = Model::load(file);
  Dataset dataset = load_data(choose_data(options));
  return {.file = file,
          .model = std::move(model),
          .dataset = std::move(dataset),
          .training = options.split == "train",
          .device = resolve_device(global.device_request())};
}

}  // namespace touchstone::cli
