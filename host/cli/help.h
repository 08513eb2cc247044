// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include <CLI/CLI.hpp>

#include "host/report/terminal.h"

namespace touchstone::cli {

/// The help of the program or of one command: usage, description, arguments, options in their groups with defaults, and
/// the examples of its footer, wrapped for 80 columns.
std::string help_text(const CLI::App& app, const report::Style& style);

}  // namespace touchstone::cli
