// SPDX-License-Identifier: Apache-2.0
#include "host/cli/program.h"

#include <algorithm>
#include <array>
#include <exception>
#include <new>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "host/cli/arguments.h"
#include "host/cli/command.h"
#include "host/cli/console.h"
#include "host/cli/global_options.h"
#include "host/cli/help.h"
#include "host/cli/version.h"
#include "host/cpu/instruction_set.h"
#include "touchstone/error.h"

namespace touchstone::cli {
namespace {

constexpr std::array commands = {&define_train,       &define_eval,       &define_predict, &define_encode,
                                 &define_reconstruct, &define_divergence, &define_check,   &define_bench,
                                 &define_profile,     &define_info};

constexpr const char* examples =
    "  touchstone train                  train the default network on MNIST\n"
    "  touchstone eval runs/NAME         test it\n"
    "  touchstone predict runs/NAME digit.png\n"
    "  touchstone check                  how right is the device?\n"
    "  touchstone info                   what there is: devices, networks\n"
    "  touchstone train --help           options of a command, with examples";

/// CLI11 takes its arguments from the last to the first.
void parse(CLI::App& program, std::vector<std::string> arguments) {
  std::reverse(arguments.begin(), arguments.end());
  try {
    program.parse(std::move(arguments));
  } catch (const CLI::ExtrasError&) {
    throw UsageError(fmt::format("unexpected argument {}", fmt::join(program.remaining(true), " ")));
  } catch (const CLI::ParseError& error) {
    throw UsageError(error.what());
  }
}

int run(const std::vector<std::string>& arguments) {
  CLI::App program("Train small convolutional networks, and see how right the result is.", "touchstone");
  program.set_help_flag();
  program.footer(examples);
  GlobalOptions options;
  std::vector<Command> defined;
  for (const auto& define : commands) {
    defined.push_back(define(program));
    defined.back().app->set_help_flag();
    add_global_options(*defined.back().app, options);
  }
  add_global_options(program, options);

  const ArgumentOverview overview = survey_arguments(program, arguments);
  if (overview.help || arguments.empty()) {
    write_output(help_text(*overview.app, Console(false, false).style()));
    return exit_success;
  }
  parse(program, arguments);

  const Console console(options.json, options.quiet);
  if (options.version) {
    console.print_json(version_json());
    if (!options.json) console.print(version_text());
    return exit_success;
  }
  if (options.instruction_set) cpu::limit_instruction_set(*options.instruction_set);
  for (const Command& command : defined) {
    if (command.app->parsed()) return command.action(options, console);
  }
  throw UsageError("a command is missing: touchstone --help lists them");
}

}  // namespace

int run_program(int argc, char** argv) noexcept try {
  protect_standard_streams();
  try {
    return run({argv + std::min(argc, 1), argv + argc});
  } catch (const UsageError& error) {
    print_error(error.what());
    return exit_usage;
  } catch (const std::bad_alloc&) {
    print_error("not enough memory");
    return exit_failure;
  } catch (const std::exception& error) {
    print_error(error.what());
    return exit_failure;
  }
} catch (...) {
  // Not even the message could be put together.
  write_message("touchstone: error: something unexpected went wrong\n");
  return exit_failure;
}

}  // namespace touchstone::cli
