// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>

#include "touchstone/model.h"

namespace touchstone::cli {

/// MODEL on the command line: a .safetensors file, or a run directory, which stands for its model.safetensors. Throws
/// UsageError where it is not given, Error where it is not there.
std::filesystem::path find_model(const std::optional<std::filesystem::path>& argument);

}  // namespace touchstone::cli
