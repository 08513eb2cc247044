// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace touchstone::cli {

/// What a first look at the command line shows.
struct ArgumentOverview {
  CLI::App* app = nullptr;  ///< the command, or the program where none is given
  bool help = false;        ///< --help stands somewhere: values are not looked at
};

/// Looks through the arguments before CLI11 parses them, for what it would report less helpfully: throws UsageError for
/// an unknown option or command, with the nearest spelling, and for an option that lacks its value.
ArgumentOverview survey_arguments(CLI::App& program, const std::vector<std::string>& arguments);

}  // namespace touchstone::cli
