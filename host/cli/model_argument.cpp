// SPDX-License-Identifier: Apache-2.0
#include "host/cli/model_argument.h"

#include <fmt/format.h>

#include "host/train/run_directory.h"
#include "touchstone/error.h"

namespace touchstone::cli {

std::filesystem::path find_model(const std::optional<std::filesystem::path>& argument) {
  if (!argument) throw UsageError("MODEL is missing: a model.safetensors file or the run directory that holds it");
  if (!std::filesystem::is_directory(*argument)) return *argument;
  std::filesystem::path file = *argument / model_file;
  if (!std::filesystem::exists(file)) {
    throw Error(fmt::format("{}: no {} in this directory", argument->string(), model_file));
  }
  return file;
}

}  // namespace touchstone::cli
