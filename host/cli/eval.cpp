// SPDX-License-Identifier: Apache-2.0
#include <memory>

#include <nlohmann/json.hpp>

#include "host/cli/command.h"
#include "host/cli/model_data.h"
#include "host/cli/program.h"
#include "host/report/evaluation_report.h"
#include "touchstone/training.h"

namespace touchstone::cli {
namespace {

constexpr const char* examples =
    "  touchstone eval runs/NAME\n"
    "  touchstone eval model.safetensors data/fashion --split train\n"
    "  touchstone eval runs/NAME --json | jq .test_accuracy";

int run_eval(const ModelDataOptions& options, const GlobalOptions& global, const Console& console) {
  const ModelData source = load_model_data(options, global);
  const Evaluation evaluation = evaluate(source.model, source.images(), source.device);
  console.print(source.text() + "\n" + report::evaluation_text(evaluation, console.style()));
  nlohmann::ordered_json json = source.json();
  json.update(report::evaluation_json(evaluation));
  console.print_json(json);
  return exit_success;
}

}  // namespace

Command define_eval(CLI::App& program) {
  CLI::App* app = program.add_subcommand("eval", "Test a model: accuracy, loss, and what is taken for what");
  app->footer(examples);
  const auto options = std::make_shared<ModelDataOptions>();
  add_model_data_options(*app, *options);
  return {app, [options](const GlobalOptions& global, const Console& console) {
            return run_eval(*options, global, console);
          }};
}

}  // namespace touchstone::cli
