// SPDX-License-Identifier: Apache-2.0
#include "host/cli/arguments.h"

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "host/cli/option_types.h"
#include "host/model/spelling.h"
#include "touchstone/error.h"

namespace touchstone::cli {
namespace {

bool is_digit(char letter) { return letter >= '0' && letter <= '9'; }

/// "--name", "-n"; not "-" (a file), not "-1" (a number).
bool looks_like_option(const std::string& argument) {
  return argument.size() > 1 && argument[0] == '-' && !is_digit(argument[1]) && argument[1] != '.';
}

std::vector<std::string> long_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

std::vector<std::string> command_names(const CLI::App& program) {
  std::vector<std::string> names;
  for (const CLI::App* command : program.get_subcommands({})) names.push_back(command->get_name());
  return names;
}

/// "touchstone", "touchstone train".
std::string invocation(const CLI::App& app) {
  return app.get_parent() == nullptr ? app.get_name() : app.get_parent()->get_name() + " " + app.get_name();
}

const CLI::Option& find_option(const CLI::App& app, const std::string& name) {
  const CLI::Option* option = app.get_option_no_throw(name);
  if (option != nullptr) return *option;
  const std::optional<std::string> nearest = nearest_spelling(name, long_names(app));
  throw UsageError(nearest ? fmt::format("unknown option {}: did you mean {}?", name, *nearest)
                           : fmt::format("unknown option {}: {} --help lists them all", name, invocation(app)));
}

CLI::App& find_command(CLI::App& program, const std::string& name) {
  for (CLI::App* command : program.get_subcommands({})) {
    if (command->get_name() == name) return *command;
  }
  throw UsageError(fmt::format("unknown command {}{}", name, spelling_hint(name, command_names(program))));
}

}  // namespace

ArgumentOverview survey_arguments(CLI::App& program, const std::vector<std::string>& arguments) {
  ArgumentOverview overview{.app = &program};
  overview.help = std::any_of(arguments.begin(), std::find(arguments.begin(), arguments.end(), "--"),
                              [](const std::string& argument) { return argument == "--help" || argument == "-h"; });
  for (std::size_t i = 0; i < arguments.size() && arguments[i] != "--"; ++i) {
    const std::string& argument = arguments[i];
    if (!looks_like_option(argument)) {
      if (overview.app == &program) overview.app = &find_command(program, argument);
      continue;
    }
    const std::size_t equals = argument.find('=');
    const std::string name = argument.substr(0, equals);
    const CLI::Option& option = find_option(*overview.app, name);
    if (option.get_items_expected_max() == 0 || equals != std::string::npos) continue;
    ++i;  // the value
    if (i == arguments.size() || looks_like_option(arguments[i])) {
      throw UsageError(fmt::format("{} needs a value: {}", name, option.get_type_name()));
    }
  }
  return overview;
}

}  // namespace touchstone::cli
