// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>

#include <CLI/CLI.hpp>

#include "host/train/run_directory.h"

namespace touchstone::cli {

/// Where a command's images come from: [DATA], or the four files by name.
struct DataOptions {
  std::optional<std::filesystem::path> data;
  std::optional<std::filesystem::path> training_images;
  std::optional<std::filesystem::path> training_labels;
  std::optional<std::filesystem::path> test_images;
  std::optional<std::filesystem::path> test_labels;

  [[nodiscard]] bool given() const;
  /// Throws UsageError where both ways are used at once or one of the four files is missing.
  [[nodiscard]] DataSource source() const;
};

/// Adds [DATA] and the four options. `fallback` says what is taken when none of them is given.
void add_data_options(CLI::App& app, DataOptions& options, const char* fallback);

/// The source that a single argument names: "mnist" is the bundled data set, anything else a directory.
DataSource named_data(const std::filesystem::path& name);

/// source.load(), with an error of its own where the directory is not there.
Dataset load_data(const DataSource& source);

}  // namespace touchstone::cli
