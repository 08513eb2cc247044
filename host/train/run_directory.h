// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "touchstone/dataset.h"
#include "touchstone/device.h"
#include "touchstone/network.h"
#include "touchstone/training.h"

namespace touchstone {

/// Where a run's images come from: a directory, four files, or (neither) the bundled MNIST.
struct DataSource {
  std::optional<std::filesystem::path> directory{};
  std::optional<IdxPaths> files{};

  [[nodiscard]] Dataset load() const;
  /// "the bundled MNIST", the directory, or the file of training images: for messages.
  [[nodiscard]] std::string describe() const;
};

/// Everything a run was asked for, fully resolved: what config.toml in its directory holds, and what --resume takes.
struct RunConfiguration {
  Network network;
  TrainingSettings settings{};
  DeviceRequest device{};
  DataSource data{};
  std::optional<std::filesystem::path> initial_weights{};

  /// Writes `directory`/config.toml (beside and renamed); relative paths are made absolute.
  void save(const std::filesystem::path& directory) const;
  /// Reads `directory`/config.toml. Throws Error naming file, line and key.
  static RunConfiguration load(const std::filesystem::path& directory);
};

/// The files of a run directory.
inline constexpr std::string_view config_file = "config.toml";
inline constexpr std::string_view metrics_file = "metrics.jsonl";
inline constexpr std::string_view model_file = "model.safetensors";
inline constexpr std::string_view checkpoint_file = "checkpoint.safetensors";

/// runs/<time>-<data>-<network>, with a number appended where that exists already. Not created.
std::filesystem::path default_run_directory(const std::string& dataset, const std::string& network);

/// Creates the directory (and its parents) for a new run. Throws Error where it holds a run already (config.toml or
/// checkpoint.safetensors), naming it and saying what to do, or cannot be created or written.
void create_run_directory(const std::filesystem::path& directory);

}  // namespace touchstone
