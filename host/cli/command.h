// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>

#include <CLI/CLI.hpp>

#include "host/cli/console.h"
#include "host/cli/global_options.h"

namespace touchstone::cli {

/// A command of the program: its options, and what to do once they are parsed. The action returns the exit code.
struct Command {
  CLI::App* app = nullptr;
  std::function<int(const GlobalOptions&, const Console&)> action;
};

Command define_train(CLI::App& program);
Command define_eval(CLI::App& program);
Command define_predict(CLI::App& program);
Command define_encode(CLI::App& program);
Command define_reconstruct(CLI::App& program);
Command define_divergence(CLI::App& program);
Command define_check(CLI::App& program);
Command define_bench(CLI::App& program);
Command define_profile(CLI::App& program);
Command define_info(CLI::App& program);

}  // namespace touchstone::cli
