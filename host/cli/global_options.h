// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <CLI/CLI.hpp>

#include "touchstone/device.h"

namespace touchstone::cli {

/// The options that stand before or after any command.
struct GlobalOptions {
  std::optional<std::string> device;
  std::optional<int> threads;
  std::optional<std::string> instruction_set;
  std::optional<std::string> graph;
  std::optional<std::string> path;
  bool tf32 = false;
  std::optional<std::string> tensor_cores;
  std::optional<std::uint64_t> seed;
  bool json = false;
  bool quiet = false;
  bool version = false;
  bool help = false;

  /// The device asked for; what was not given keeps the values of `fallback`.
  [[nodiscard]] DeviceRequest device_request(const DeviceRequest& fallback = {}) const;
};

/// Adds them to the program or to one of its commands; `options` is shared by all.
void add_global_options(CLI::App& app, GlobalOptions& options);

}  // namespace touchstone::cli
