// SPDX-License-Identifier: Apache-2.0
#include "host/cli/option_types.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include "host/model/spelling.h"
#include "touchstone/device.h"

namespace touchstone::cli {

CLI::Option* add_value(CLI::App& app, const std::string& name, const std::string& type,
                       std::function<void(const std::string&)> take, const std::string& description) {
  CLI::Option* option = app.add_option(
      name,
      [take = std::move(take)](const CLI::results_t& texts) {
        take(texts.back());
        return true;
      },
      description);
  return option->type_name(type)->take_last();
}

CLI::Option* add_real(CLI::App& app, const std::string& name, std::optional<double>& value, Range<double> range,
                      const std::string& description) {
  const auto take = [name, &value, range](const std::string& text) {
    const std::optional<double> number = parse_number<double>(text);
    if (!number || !std::isfinite(*number) || *number < range.least || *number > range.most) {
      throw UsageError(fmt::format("{}: expected {}, got {}", name, range_text("a number", range), text));
    }
    value = number;
  };
  return add_value(app, name, "X", take, description);
}

CLI::Option* add_choice(CLI::App& app, const std::string& name, std::optional<std::string>& value,
                        const std::vector<std::string>& choices, const std::string& description) {
  const auto take = [name, &value, choices](const std::string& text) {
    if (std::find(choices.begin(), choices.end(), text) == choices.end()) {
      throw UsageError(fmt::format("{}: unknown value {}{}", name, text, spelling_hint(text, choices)));
    }
    value = text;
  };
  return add_value(app, name, fmt::format("{}", fmt::join(choices, "|")), take, description);
}

CLI::Option* add_device(CLI::App& app, const std::string& name, std::optional<std::string>& value,
                        const std::string& description) {
  const std::vector<std::string> names = device_names();
  const auto take = [name, &value, names](const std::string& text) {
    // A number chooses among devices of one kind; whether that kind has numbers is for make_executor to say.
    const std::string kind = text.substr(0, text.find(':'));
    if (std::find(names.begin(), names.end(), kind) == names.end()) {
      throw UsageError(fmt::format("{}: unknown device {}{}", name, text, spelling_hint(text, names)));
    }
    value = text;
  };
  return add_value(app, name, fmt::format("{}", fmt::join(names, "|")), take, description);
}

CLI::Option* add_text(CLI::App& app, const std::string& name, const std::string& type,
                      std::optional<std::string>& value, const std::string& description) {
  const auto take = [name, type, &value](const std::string& text) {
    if (text.empty()) throw UsageError(fmt::format("{}: expected {}, got an empty text", name, type));
    value = text;
  };
  return add_value(app, name, type, take, description);
}

CLI::Option* add_path(CLI::App& app, const std::string& name, const std::string& type,
                      std::optional<std::filesystem::path>& value, const std::string& description) {
  const auto take = [name, type, &value](const std::string& text) {
    if (text.empty()) throw UsageError(fmt::format("{}: expected {}, got an empty text", name, type));
    value = text;
  };
  return add_value(app, name, type, take, description);
}

CLI::Option* add_words(CLI::App& app, const std::string& name, const std::string& type, std::vector<std::string>& words,
                       const std::string& description) {
  const auto take = [&words](const std::vector<std::string>& texts) {
    for (const std::string& text : texts) {
      for (std::size_t begin = 0; begin <= text.size();) {
        const std::size_t comma = std::min(text.find(',', begin), text.size());
        words.push_back(text.substr(begin, comma - begin));
        begin = comma + 1;
      }
    }
  };
  return app.add_option_function<std::vector<std::string>>(name, take, description)
      ->type_name(type)
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

std::string list_words(const std::vector<std::string>& words) {
  std::string list;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) list += i + 1 == words.size() ? " or " : ", ";
    list += words[i];
  }
  return list;
}

std::string spelling_hint(const std::string& word, const std::vector<std::string>& candidates) {
  const std::optional<std::string> nearest = nearest_spelling(word, candidates);
  return nearest ? fmt::format(": did you mean {}?", *nearest) : fmt::format(": expected {}", list_words(candidates));
}

}  // namespace touchstone::cli
