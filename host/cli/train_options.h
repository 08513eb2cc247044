// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>

#include "host/cli/data_options.h"
#include "host/cli/global_options.h"
#include "host/train/run_directory.h"

namespace touchstone::cli {

/// What `touchstone train` was given; what was not given stays empty.
struct TrainOptions {
  DataOptions data;
  std::optional<std::string> network;
  std::optional<std::filesystem::path> initial_weights;
  std::optional<std::int64_t> epochs;
  std::optional<std::int64_t> batch_size;
  std::optional<double> learning_rate;
  std::optional<std::string> optimizer;
  std::optional<double> momentum;
  std::optional<double> weight_decay;
  std::optional<std::string> schedule;
  std::optional<std::int64_t> warmup;
  bool no_shuffle = false;
  std::optional<std::int64_t> validation;
  std::optional<double> target_accuracy;
  std::optional<std::filesystem::path> out;
  std::optional<std::filesystem::path> resume;
};

/// Adds the options to the command.
void add_train_options(CLI::App& app, TrainOptions& options);

/// The configuration of a new run: the network's recipe, with what was given in its place. Throws UsageError where
/// settings contradict one another.
RunConfiguration new_configuration(const TrainOptions& options, const GlobalOptions& global);

/// The configuration of a run that goes on: that of its directory. Number of epochs (more, not fewer), device, threads
/// and target accuracy may be given anew; anything else that was given has to be what the run has, otherwise Error
/// names the setting and both values.
RunConfiguration resumed_configuration(const TrainOptions& options, const GlobalOptions& global);

}  // namespace touchstone::cli
