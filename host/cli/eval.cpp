// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "host/cli/command.h"
#include "host/cli/model_data.h"
#include "host/cli/program.h"
#include "host/report/evaluation_report.h"
#include "host/report/pca_report.h"
#include "touchstone/error.h"
#include "touchstone/pca_comparison.h"
#include "touchstone/training.h"

namespace touchstone::cli {
namespace {

constexpr const char* examples =
    "  touchstone eval runs/NAME\n"
    "  touchstone eval model.safetensors data/fashion --split train\n"
    "  touchstone eval runs/NAME --json | jq .test_accuracy";

/// Sets a linear autoencoder beside PCA, or says why that cannot be.
void add_pca(const ModelData& source, double loss, std::string& text, nlohmann::ordered_json& json) {
  try {
    const PcaComparison comparison = compare_with_pca(source.model, *source.dataset.training, *source.images());
    text += report::pca_text(comparison, loss);
    json["pca"] = report::pca_json(comparison, loss);
  } catch (const Error& error) {
    text += fmt::format("PCA       left out: {}\n", error.what());
    json["pca"] = nullptr;
    json["pca_left_out"] = error.what();
  }
}

int run_eval(const ModelDataOptions& options, const GlobalOptions& global, const Console& console) {
  const ModelData source = load_model_data(options, global);
  const Evaluation evaluation = evaluate(source.model, source.images(), source.device);
  std::string text = source.text() + "\n" + report::evaluation_text(evaluation, console.style());
  nlohmann::ordered_json json = source.json();
  json.update(report::evaluation_json(evaluation));
  if (is_linear_autoencoder(source.model.network)) add_pca(source, evaluation.loss, text, json);
  console.print(text);
  console.print_json(json);
  return exit_success;
}

}  // namespace

Command define_eval(CLI::App& program) {
  CLI::App* app =
      program.add_subcommand("eval", "Test a model: accuracy, loss, and what is taken for what; or reconstructions");
  app->footer(examples);
  const auto options = std::make_shared<ModelDataOptions>();
  add_model_data_options(*app, *options);
  return {app, [options](const GlobalOptions& global, const Console& console) {
            return run_eval(*options, global, console);
          }};
}

}  // namespace touchstone::cli
