// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "host/cli/command.h"
#include "host/cli/data_options.h"
#include "host/cli/device_text.h"
#include "host/cli/model_argument.h"
#include "host/cli/option_types.h"
#include "host/cli/program.h"
#include "host/report/evaluation_report.h"
#include "host/report/units.h"
#include "touchstone/model.h"
#include "touchstone/training.h"

namespace touchstone::cli {
namespace {

constexpr const char* examples =
    "  touchstone eval runs/NAME\n"
    "  touchstone eval model.safetensors data/fashion --split train\n"
    "  touchstone eval runs/NAME --json | jq .test_accuracy";

struct EvalOptions {
  std::optional<std::filesystem::path> model;
  DataOptions data;
  std::optional<std::string> split;
};

/// The data that was asked for; for a run directory otherwise those that the run was trained on.
DataSource choose_data(const EvalOptions& options) {
  if (options.data.given() || !std::filesystem::exists(*options.model / config_file)) return options.data.source();
  return RunConfiguration::load(*options.model).data;
}

int run_eval(const EvalOptions& options, const GlobalOptions& global, const Console& console) {
  const std::filesystem::path file = find_model(options.model);
  const Model model = Model::load(file);
  const Dataset dataset = load_data(choose_data(options));
  const bool training = options.split == "train";
  const SharedImageSet& images = training ? dataset.training : dataset.test;
  const DeviceRequest device = resolve_device(global.device_request());
  const Evaluation evaluation = evaluate(model, images, device);

  console.print(fmt::format("model     {} ({})\ndata      {}, {} images\ndevice    {}\npath      {}\n\n", file.string(),
                            model.network.name(), dataset.name, training ? "training" : "test", device_text(device),
                            path_text(device, model.network)));
  console.print(report::evaluation_text(evaluation, console.style()));
  nlohmann::ordered_json json;
  json["model"] = file.string();
  json["network"] = model.network.name();
  json["dataset"] = dataset.name;
  json["split"] = training ? "train" : "test";
  json["device"] = device.name;
  json["path"] = path_text(device, model.network);
  json.update(report::evaluation_json(evaluation));
  console.print_json(json);
  return exit_success;
}

}  // namespace

Command define_eval(CLI::App& program) {
  CLI::App* app = program.add_subcommand("eval", "Test a model: accuracy, loss, and what is taken for what");
  app->footer(examples);
  const auto options = std::make_shared<EvalOptions>();
  add_path(*app, "MODEL", "MODEL", options->model, "A .safetensors file, or the directory of a run")->group("Model");
  add_data_options(*app, options->data, "mnist, or what the run was trained on");
  add_choice(*app, "--split", options->split, {"train", "test"}, "Which images of the data")
      ->group("Data")
      ->default_str("test");
  return {app, [options](const GlobalOptions& global, const Console& console) {
            return run_eval(*options, global, console);
          }};
}

}  // namespace touchstone::cli
