// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <cstdint>
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
#include "host/cli/interrupt.h"
#include "host/cli/new_run.h"
#include "host/cli/program.h"
#include "host/cli/progress_display.h"
#include "host/cli/shell_words.h"
#include "host/cli/train_options.h"
#include "host/report/network_report.h"
#include "host/report/training_report.h"
#include "host/report/units.h"
#include "host/train/epoch_json.h"
#include "host/train/run_directory.h"
#include "touchstone/training.h"

namespace touchstone::cli {
namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* examples =
    "  touchstone train\n"
    "  touchstone train data/fashion --network wide --epochs 20\n"
    "  touchstone train --optimizer adam --learning-rate 0.002 --seed 7\n"
    "  touchstone train --validation 5000 --out runs/held-out\n"
    "  touchstone train --resume runs/held-out";

/// A run with all that is known about it before its first step.
struct Run {
  RunConfiguration configuration;
  Dataset dataset;
  std::filesystem::path directory;
  bool resumed = false;
  double load_seconds = 0;
};

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

Run prepare(const TrainOptions& options, const GlobalOptions& global) {
  const bool resumed = options.resume.has_value();
  RunConfiguration configuration =
      resumed ? resumed_configuration(options, global) : new_configuration(options, global);
  configuration.device = resolve_device(configuration.device);
  const Clock::time_point start = Clock::now();
  Dataset dataset = load_data(configuration.data);
  const double load_seconds = seconds_since(start);
  std::filesystem::path directory;
  if (resumed) {
    directory = *options.resume;
  } else {
    directory = options.out ? *options.out : default_run_directory(dataset.name, configuration.network.name());
  }
  return {.configuration = std::move(configuration),
          .dataset = std::move(dataset),
          .directory = std::move(directory),
          .resumed = resumed,
          .load_seconds = load_seconds};
}

std::string header_text(const Run& run) {
  const RunConfiguration& configuration = run.configuration;
  const Dataset& dataset = run.dataset;
  const TrainingRecipe& recipe = configuration.settings.recipe;
  std::string text = fmt::format("device     {}\n", device_text(configuration.device));
  text += fmt::format("path       {}\n", path_text(configuration.device, configuration.network));
  text += fmt::format("network    {}, {} parameters\n", configuration.network.name(),
                      report::group_digits(configuration.network.parameter_count()));
  text += fmt::format("data       {}, {} training and {} test images of {}, loaded in {}\n", dataset.name,
                      report::group_digits(dataset.training->count), report::group_digits(dataset.test->count),
                      report::shape_text(dataset.training->shape), report::format_seconds(run.load_seconds));
  text += fmt::format("training   {}, seed {}\n", report::schedule_text(recipe), configuration.settings.seed);
  text += fmt::format("optimizer  {}\n", report::optimizer_text(recipe));
  text += fmt::format("run        {}{}\n\n", run.directory.string(), run.resumed ? " (resumed)" : "");
  return text;
}

std::string summary_text(const Run& run, const TrainingResult& result, double total_seconds,
                         const report::Style& style) {
  const std::string directory = shell_word(run.directory.string());
  if (result.interrupted) {
    return fmt::format("\n{} after {} of {} epochs; go on with\n  touchstone train --resume {}\n",
                       style.yellow("interrupted"), result.epochs.size(), run.configuration.settings.recipe.epochs,
                       directory);
  }
  const bool autoencoder = run.configuration.network.is_autoencoder();
  const std::string metric =
      result.test_accuracy ? report::format_percent(*result.test_accuracy) : fmt::format("{:.4f}", result.test_loss);
  std::string text = fmt::format("\ntest {}  {}", autoencoder ? "error   " : "accuracy", style.bold(metric));
  if (run.configuration.settings.validation > 0) text += " (with the weights that were best on the held-out images)";
  if (result.target_reached) {
    text += fmt::format("\ntarget         {} {}", report::format_percent(*run.configuration.settings.target_accuracy),
                        *result.target_reached ? style.green("reached") : style.yellow("not reached"));
  }
  text += fmt::format("\ntime           {} of training, {} in all", report::format_seconds(result.train_seconds),
                      report::format_seconds(total_seconds));
  text += fmt::format("\nmodel          {}", (run.directory / model_file).string());
  text += fmt::format("\nnext           touchstone eval {}\n", directory);
  if (!autoencoder) text += fmt::format("               touchstone predict {} IMAGE.png\n", directory);
  return text;
}

report::Json result_json(const Run& run, const TrainingResult& result, double total_seconds) {
  const RunConfiguration& configuration = run.configuration;
  const TrainingSettings& settings = configuration.settings;
  report::Json json;
  json["device"] = configuration.device.name;
  json["path"] = path_text(configuration.device, configuration.network);
  json["dataset"] = run.dataset.name;
  json["network"] = configuration.network.name();
  json["parameters"] = configuration.network.parameter_count();
  json["seed"] = settings.seed;
  json["batch_size"] = settings.recipe.batch_size;
  json["epochs"] = report::Json::array();
  for (const EpochReport& epoch : result.epochs) json["epochs"].push_back(epoch_json(epoch));
  if (configuration.network.is_autoencoder()) {
    json["test_loss"] = result.epochs.empty() ? report::Json(nullptr) : report::number_or_null(result.test_loss);
  } else {
    json["test_accuracy"] =
        result.test_accuracy ? report::number_or_null(*result.test_accuracy) : report::Json(nullptr);
  }
  json["target_reached"] = result.target_reached ? report::Json(*result.target_reached) : report::Json(nullptr);
  json["interrupted"] = result.interrupted;
  json["load_seconds"] = run.load_seconds;
  json["train_seconds"] = result.train_seconds;
  json["total_seconds"] = total_seconds;
  json["run_directory"] = run.directory.string();
  json["model"] = (run.directory / model_file).string();
  return json;
}

TrainingResult train_and_show(const Run& run, const TrainOptions& options, const std::stop_token& stop,
                              const Console& console) {
  const TrainingSettings& settings = run.configuration.settings;
  const report::EpochTable table(settings.recipe.epochs, settings.validation > 0,
                                 run.configuration.network.is_autoencoder());
  console.print(header_text(run) + table.header(console.style()));
  ProgressDisplay display(console, table);
  TrainingOptions training{.initial_weights = run.configuration.initial_weights,
                           .run_directory = run.directory,
                           .resume = options.resume.has_value(),
                           .stop = stop,
                           .observer = &display};
  return train(run.configuration.network, run.dataset, settings, run.configuration.device, training);
}

int run_train(const TrainOptions& options, const GlobalOptions& global, const Console& console) {
  const Clock::time_point start = Clock::now();
  const InterruptWatcher interrupts;
  const Run run = prepare(options, global);
  std::optional<NewRun> new_run;
  if (run.resumed) {
    run.configuration.save(run.directory);  // what may be given anew is kept for the next time
  } else {
    new_run.emplace(run.directory, run.configuration);
  }
  const TrainingResult result = train_and_show(run, options, interrupts.token(), console);
  const double total_seconds = seconds_since(start);
  console.print(summary_text(run, result, total_seconds, console.style()));
  console.print_json(result_json(run, result, total_seconds));
  return result.interrupted ? exit_interrupted : exit_success;
}

}  // namespace

Command define_train(CLI::App& program) {
  CLI::App* app = program.add_subcommand("train", "Train a network on a data set");
  app->footer(examples);
  const auto options = std::make_shared<TrainOptions>();
  add_train_options(*app, *options);
  return {app, [options](const GlobalOptions& global, const Console& console) {
            return run_train(*options, global, console);
          }};
}

}  // namespace touchstone::cli
