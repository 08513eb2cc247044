// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

namespace touchstone::cli {

/// What --version prints: version, commit, compiler, devices, CUDA architectures, processor.
std::string version_text();

/// The same as data.
nlohmann::ordered_json version_json();

}  // namespace touchstone::cli
