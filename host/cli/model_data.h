// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>
#include <nlohmann/json_fwd.hpp>

#include "host/cli/data_options.h"
#include "host/cli/global_options.h"
#include "touchstone/dataset.h"
#include "touchstone/device.h"
#include "touchstone/model.h"

namespace touchstone::cli {

/// MODEL, DATA and --split: what commands take that run a model over a data set.
struct ModelDataOptions {
  std::optional<std::filesystem::path> model;
  DataOptions data;
  std::optional<std::string> split;
};

void add_model_data_options(CLI::App& app, ModelDataOptions& options);

/// A model, the data that it is run over, and the device that runs it.
struct ModelData {
  std::filesystem::path file;
  Model model;
  Dataset dataset;
  bool training = false;  ///< which images of the data
  DeviceRequest device;

  [[nodiscard]] const SharedImageSet& images() const { return training ? dataset.training : dataset.test; }

  /// The lines `model`, `data`, `device` and `path`.
  [[nodiscard]] std::string text() const;
  /// model, network, dataset, split, device and path.
  [[nodiscard]] nlohmann::ordered_json json() const;
};

/// Loads what the options name; without DATA, of a run directory the data that it was trained on, and MNIST of a file.
/// Throws UsageError where MODEL is not given, Error where something cannot be read.
ModelData load_model_data(const ModelDataOptions& options, const GlobalOptions& global);

}  // namespace touchstone::cli
