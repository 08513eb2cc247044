// SPDX-License-Identifier: Apache-2.0
#include "host/cli/train_options.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "host/cli/option_types.h"
#include "touchstone/error.h"

namespace touchstone::cli {
namespace {

constexpr Range<std::int64_t> at_least_one = {1, std::numeric_limits<std::int32_t>::max()};
constexpr Range<std::int64_t> at_least_zero = {0, std::numeric_limits<std::int32_t>::max()};

constexpr std::array optimizer_kinds = {OptimizerKind::sgd, OptimizerKind::adam, OptimizerKind::adamw};
constexpr std::array schedule_kinds = {ScheduleKind::constant, ScheduleKind::step, ScheduleKind::cosine,
                                       ScheduleKind::one_cycle};

template <typename Kind, std::size_t count>
std::vector<std::string> names_of(const std::array<Kind, count>& kinds) {
  std::vector<std::string> names;
  for (const Kind kind : kinds) names.emplace_back(to_string(kind));
  return names;
}

/// The kind of this name; the options have made sure that there is one.
template <typename Kind, std::size_t count>
Kind kind_named(const std::array<Kind, count>& kinds, const std::string& name) {
  return *std::find_if(kinds.begin(), kinds.end(), [&](Kind kind) { return to_string(kind) == name; });
}

void add_network_options(CLI::App& app, TrainOptions& options) {
  constexpr const char* group = "Network";
  std::string known = fmt::format("Network to train: {}, or a description in TOML", list_words(Network::names()));
  add_text(app, "--network", "NAME|FILE", options.network, known)->group(group)->default_str(Network::names().front());
  add_path(app, "--init", "FILE", options.initial_weights, "Start from the weights in this safetensors file")
      ->group(group);
}

void add_optimisation_options(CLI::App& app, TrainOptions& options) {
  constexpr const char* group = "Training (defaults: the network's recipe; those of seed are shown)";
  const TrainingRecipe recipe = Network::named(Network::names().front()).recipe();
  const auto number = [](double value) { return fmt::format("{:g}", value); };
  const auto add = [](CLI::Option* option, const std::string& shown) { option->group(group)->default_str(shown); };
  add(add_whole(app, "--epochs", options.epochs, at_least_one, "Passes over the training images"),
      std::to_string(recipe.epochs));
  add(add_whole(app, "--batch-size", options.batch_size, at_least_one, "Images a step"),
      std::to_string(recipe.batch_size));
  add(add_real(app, "--learning-rate", options.learning_rate, {0}, "Learning rate, before schedule and warm-up"),
      number(recipe.learning_rate));
  add(add_choice(app, "--optimizer", options.optimizer, names_of(optimizer_kinds),
                 "Update rule; another than the recipe's starts from PyTorch's defaults for it"),
      std::string(to_string(recipe.optimizer.kind)));
  add(add_real(app, "--momentum", options.momentum, {0}, "Momentum of sgd"), number(recipe.optimizer.momentum));
  add(add_real(app, "--weight-decay", options.weight_decay, {0}, "Weight decay"),
      number(recipe.optimizer.weight_decay));
  add(add_choice(app, "--schedule", options.schedule, names_of(schedule_kinds), "How the learning rate moves"),
      std::string(to_string(recipe.schedule.kind)));
  add(add_whole(app, "--warmup", options.warmup, at_least_zero, "Steps over which the learning rate first rises"),
      std::to_string(recipe.schedule.warmup));
  app.add_flag("--no-shuffle", options.no_shuffle, "Take the images in file order")->group(group);
}

void add_run_options(CLI::App& app, TrainOptions& options) {
  constexpr const char* group = "Run";
  add_whole(app, "--validation", options.validation, at_least_zero,
            "Hold out N training images, which then decide which weights are kept")
      ->group(group)
      ->default_str("0");
  add_real(app, "--target-accuracy", options.target_accuracy, {0, 1},
           "Stop after the epoch that reaches this fraction of right answers")
      ->group(group);
  add_path(app, "--out", "DIR", options.out, "Run directory")->group(group)->default_str("runs/TIME-DATA-NETWORK");
  add_path(app, "--resume", "DIR", options.resume, "Go on with the run in DIR, with its settings and its device")
      ->group(group);
}

void apply_optimizer(const TrainOptions& options, TrainingRecipe& recipe) {
  if (options.optimizer) {
    const auto kind = kind_named(optimizer_kinds, *options.optimizer);
    if (kind != recipe.optimizer.kind) recipe.use_optimizer(kind);
  }
  if (options.momentum && recipe.optimizer.kind != OptimizerKind::sgd) {
    throw UsageError(fmt::format("--momentum belongs to sgd, the optimizer is {}", to_string(recipe.optimizer.kind)));
  }
  recipe.learning_rate = options.learning_rate.value_or(recipe.learning_rate);
  recipe.optimizer.momentum = options.momentum.value_or(recipe.optimizer.momentum);
  recipe.optimizer.weight_decay = options.weight_decay.value_or(recipe.optimizer.weight_decay);
}

/// Puts what was given in the place of what `configuration` has.
void apply(const TrainOptions& options, const GlobalOptions& global, RunConfiguration& configuration) {
  TrainingSettings& settings = configuration.settings;
  TrainingRecipe& recipe = settings.recipe;
  apply_optimizer(options, recipe);
  recipe.epochs = options.epochs.value_or(recipe.epochs);
  recipe.batch_size = options.batch_size.value_or(recipe.batch_size);
  if (options.schedule) recipe.schedule.kind = kind_named(schedule_kinds, *options.schedule);
  recipe.schedule.warmup = options.warmup.value_or(recipe.schedule.warmup);
  settings.seed = global.seed.value_or(settings.seed);
  if (options.no_shuffle) settings.shuffle = false;
  settings.validation = options.validation.value_or(settings.validation);
  if (options.target_accuracy) settings.target_accuracy = options.target_accuracy;
  configuration.device = global.device_request(configuration.device);
  if (options.data.given()) configuration.data = options.data.source();
  if (options.initial_weights) configuration.initial_weights = std::filesystem::absolute(*options.initial_weights);
  settings.validate(configuration.network);
}

std::string path_text(const std::filesystem::path& path) { return std::filesystem::weakly_canonical(path).string(); }

std::string data_text(const RunConfiguration& configuration) {
  const DataSource& data = configuration.data;
  if (data.directory) return path_text(*data.directory);
  if (!data.files) return data.describe();
  return fmt::format("{} {} {} {}", path_text(data.files->training_images), path_text(data.files->training_labels),
                     path_text(data.files->test_images), path_text(data.files->test_labels));
}

/// A setting that a resumed run has to keep, and its value as people read it.
struct KeptSetting {
  const char* name;
  std::string (*text)(const RunConfiguration& configuration);
};

constexpr std::array<KeptSetting, 13> kept_settings = {{
    {"--network", [](const RunConfiguration& run) { return run.network.name(); }},
    {"DATA", &data_text},
    {"--init",
     [](const RunConfiguration& run) { return run.initial_weights ? path_text(*run.initial_weights) : "none"; }},
    {"--batch-size", [](const RunConfiguration& run) { return std::to_string(run.settings.recipe.batch_size); }},
    {"--optimizer",
     [](const RunConfiguration& run) { return std::string(to_string(run.settings.recipe.optimizer.kind)); }},
    {"--learning-rate",
     [](const RunConfiguration& run) { return fmt::format("{}", run.settings.recipe.learning_rate); }},
    {"--momentum",
     [](const RunConfiguration& run) { return fmt::format("{}", run.settings.recipe.optimizer.momentum); }},
    {"--weight-decay",
     [](const RunConfiguration& run) { return fmt::format("{}", run.settings.recipe.optimizer.weight_decay); }},
    {"--schedule",
     [](const RunConfiguration& run) { return std::string(to_string(run.settings.recipe.schedule.kind)); }},
    {"--warmup", [](const RunConfiguration& run) { return std::to_string(run.settings.recipe.schedule.warmup); }},
    {"--no-shuffle", [](const RunConfiguration& run) { return std::string(run.settings.shuffle ? "no" : "yes"); }},
    {"--validation", [](const RunConfiguration& run) { return std::to_string(run.settings.validation); }},
    {"--seed", [](const RunConfiguration& run) { return std::to_string(run.settings.seed); }},
}};

void demand_same(const std::filesystem::path& directory, const RunConfiguration& stored,
                 const RunConfiguration& wanted) {
  for (const KeptSetting& setting : kept_settings) {
    const std::string has = setting.text(stored);
    const std::string given = setting.text(wanted);
    if (has != given) {
      throw Error(fmt::format("{}: the run in {} has {}, {} was given; a run keeps its settings when it goes on",
                              setting.name, directory.string(), has, given));
    }
  }
  if (stored.network.toml() != wanted.network.toml()) {
    throw Error(fmt::format("--network: the description of {} is not the one that the run in {} was started with",
                            wanted.network.name(), directory.string()));
  }
  const std::int64_t epochs = stored.settings.recipe.epochs;
  if (wanted.settings.recipe.epochs < epochs) {
    throw Error(fmt::format("--epochs: the run in {} has {}, {} were given; there can be more, not fewer",
                            directory.string(), epochs, wanted.settings.recipe.epochs));
  }
}

}  // namespace

void add_train_options(CLI::App& app, TrainOptions& options) {
  add_data_options(app, options.data, "mnist");
  add_network_options(app, options);
  add_optimisation_options(app, options);
  add_run_options(app, options);
}

RunConfiguration new_configuration(const TrainOptions& options, const GlobalOptions& global) {
  Network network = Network::find(options.network.value_or(Network::names().front()));
  RunConfiguration configuration{
      .network = std::move(network), .settings = {}, .device = {}, .data = {}, .initial_weights = {}};
  configuration.settings.recipe = configuration.network.recipe();
  apply(options, global, configuration);
  return configuration;
}

RunConfiguration resumed_configuration(const TrainOptions& options, const GlobalOptions& global) {
  const std::filesystem::path& directory = *options.resume;
  if (options.out) throw UsageError("--out: a run that is resumed goes on in its own directory");
  if (!std::filesystem::exists(directory / config_file)) {
    throw Error(fmt::format("--resume: {} holds no run: it has no {}", directory.string(), config_file));
  }
  const RunConfiguration stored = RunConfiguration::load(directory);
  RunConfiguration wanted = stored;
  if (options.network) wanted.network = Network::find(*options.network);
  apply(options, global, wanted);
  demand_same(directory, stored, wanted);
  return wanted;
}

}  // namespace touchstone::cli
