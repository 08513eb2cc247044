// SPDX-License-Identifier: Apache-2.0
#include "host/cli/help.h"

#include <algorithm>
#include <cstddef>
#include <sstream>
#include <vector>

#include <fmt/format.h>

namespace touchstone::cli {
namespace {

constexpr std::size_t page_width = 80;
constexpr std::size_t label_width = 26;     // longer labels get a line of their own
constexpr char unbreakable_blank = '\x1f';  // becomes a blank once the lines are broken

/// Breaks `text` at blanks into lines that fit between `indent` and the page's edge.
std::string wrap(const std::string& text, std::size_t indent) {
  std::istringstream words(text);
  std::string wrapped;
  std::size_t column = indent;
  for (std::string word; words >> word;) {
    if (column > indent && column + 1 + word.size() > page_width) {
      wrapped += "\n" + std::string(indent, ' ');
      column = indent;
    }
    if (column > indent) {
      wrapped += ' ';
      ++column;
    }
    wrapped += word;
    column += word.size();
  }
  std::replace(wrapped.begin(), wrapped.end(), unbreakable_blank, ' ');
  return wrapped + "\n";
}

std::string entry(const std::string& label, const std::string& description) {
  const std::string start = "  " + label;
  const bool fits = start.size() + 2 <= label_width;
  const std::string gap = fits ? std::string(label_width - start.size(), ' ') : "\n" + std::string(label_width, ' ');
  return start + gap + wrap(description, label_width);
}

std::string option_label(const CLI::Option& option) {
  if (option.get_positional()) return option.get_type_name();
  std::string label;
  for (const std::string& name : option.get_snames()) label += "-" + name + ", ";
  for (const std::string& name : option.get_lnames()) label += "--" + name;
  if (option.get_items_expected_max() > 0) label += " " + option.get_type_name();
  return label;
}

std::string option_entry(const CLI::Option& option) {
  std::string description = option.get_description();
  const std::string shown = option.get_default_str();
  if (!shown.empty()) description += fmt::format(" [default:{}{}]", unbreakable_blank, shown);
  return entry(option_label(option), description);
}

/// "touchstone train [DATA] [OPTION...]"
std::string usage(const CLI::App& app) {
  std::string text = app.get_name();
  if (app.get_parent() != nullptr) text = app.get_parent()->get_name() + " " + text;
  if (!app.get_subcommands({}).empty()) text += " COMMAND";
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_positional()) text += " " + option->get_type_name();
  }
  return text + " [OPTION...]";
}

}  // namespace

std::string help_text(const CLI::App& app, const report::Style& style) {
  std::string text = wrap(app.get_description(), 0) + "\n" + style.bold("Usage:") + " " + usage(app) + "\n";

  const std::vector<const CLI::App*> commands = app.get_subcommands({});
  if (!commands.empty()) text += "\n" + style.bold("Commands:") + "\n";
  for (const CLI::App* command : commands) text += entry(command->get_name(), command->get_description());

  for (const std::string& group : app.get_groups()) {
    std::string entries;
    for (const CLI::Option* option : app.get_options()) {
      if (option->get_group() == group) entries += option_entry(*option);
    }
    if (!entries.empty() && !group.empty()) text += "\n" + style.bold(group + ":") + "\n" + entries;
  }
  if (!app.get_footer().empty()) text += "\n" + style.bold("Examples:") + "\n" + app.get_footer() + "\n";
  return text;
}

}  // namespace touchstone::cli
