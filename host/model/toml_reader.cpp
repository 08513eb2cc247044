// SPDX-License-Identifier: Apache-2.0
#include "host/model/toml_reader.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "host/model/spelling.h"
#include "touchstone/error.h"

namespace touchstone {
namespace {

std::string type_name(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::string:
      return fmt::format("the string \"{}\"", node.ref<std::string>());
    case toml::node_type::integer:
      return fmt::format("the integer {}", node.ref<std::int64_t>());
    case toml::node_type::floating_point:
      return fmt::format("the number {}", node.ref<double>());
    case toml::node_type::boolean:
      return node.ref<bool>() ? "true" : "false";
    default:
      return "a date or time";
  }
}

std::string quoted_list(const std::vector<std::string>& names) {
  return fmt::format("\"{}\"", fmt::join(names, "\", \""));
}

}  // namespace

toml::table parse_toml(std::string_view text, std::string_view origin) {
  try {
    return toml::parse(text, origin);
  } catch (const toml::parse_error& error) {
    throw Error(fmt::format("{}:{}: {}", origin, error.source().begin.line, error.description()));
  }
}

TomlReader::TomlReader(const toml::table& table, std::string origin, std::string what)
    : table_(table), origin_(std::move(origin)), what_(std::move(what)) {}

bool TomlReader::has(std::string_view key) {
  known_.emplace_back(key);
  return table_.contains(key);
}

const toml::node& TomlReader::require(std::string_view key) {
  if (!has(key)) {
    throw Error(fmt::format("{}:{}: {}: the key `{}` is missing", origin_, table_.source().begin.line, what_, key));
  }
  return *table_.get(key);
}

std::int64_t TomlReader::checked_integer(std::string_view key, const toml::node& node, std::int64_t minimum) const {
  if (!node.is_integer() || node.ref<std::int64_t>() < minimum) {
    fail(key, fmt::format("expected an integer of at least {}, not {}", minimum, type_name(node)));
  }
  return node.ref<std::int64_t>();
}

std::string TomlReader::string(std::string_view key) {
  const toml::node& node = require(key);
  if (!node.is_string()) fail(key, fmt::format("expected a string, not {}", type_name(node)));
  return node.ref<std::string>();
}

std::int64_t TomlReader::integer(std::string_view key, std::int64_t minimum) {
  return checked_integer(key, require(key), minimum);
}

Size2d TomlReader::size2d(std::string_view key, std::int64_t minimum) {
  const toml::node& node = require(key);
  if (!node.is_array()) {
    const std::int64_t both = checked_integer(key, node, minimum);
    return {both, both};
  }
  const std::vector<std::int64_t> values = integers(key, 2, minimum);
  return {values[0], values[1]};
}

std::vector<std::int64_t> TomlReader::integers(std::string_view key, std::size_t count, std::int64_t minimum) {
  const toml::node& node = require(key);
  const toml::array* array = node.as_array();
  if (array == nullptr) fail(key, fmt::format("expected an array of {} integers, not {}", count, type_name(node)));
  if (array->size() != count) {
    fail(key, fmt::format("expected an array of {} integers, not of {} values", count, array->size()));
  }
  std::vector<std::int64_t> values;
  for (const toml::node& element : *array) values.push_back(checked_integer(key, element, minimum));
  return values;
}

std::size_t TomlReader::choice(std::string_view key, const std::vector<std::string>& names) {
  const std::string value = string(key);
  const auto found = std::find(names.begin(), names.end(), value);
  if (found == names.end()) {
    fail(key, fmt::format("expected one of {}, not \"{}\"{}", quoted_list(names), value, did_you_mean(value, names)));
  }
  return static_cast<std::size_t>(found - names.begin());
}

std::vector<const toml::table*> TomlReader::tables(std::string_view key) {
  const toml::node& node = require(key);
  if (!node.is_array_of_tables()) fail(key, fmt::format("expected [[{}]] tables, not {}", key, type_name(node)));
  std::vector<const toml::table*> tables;
  for (const toml::node& element : *node.as_array()) tables.push_back(element.as_table());
  return tables;
}

void TomlReader::maybe(std::string_view key, std::string& value) {
  if (has(key)) value = string(key);
}

void TomlReader::maybe(std::string_view key, std::int64_t& value, std::int64_t minimum) {
  if (has(key)) value = integer(key, minimum);
}

void TomlReader::maybe(std::string_view key, double& value, double minimum) {
  if (!has(key)) return;
  const toml::node& node = *table_.get(key);
  const double number = node.value<double>().value_or(minimum - 1);
  if (!node.is_number() || !(number >= minimum)) {
    fail(key, fmt::format("expected a number of at least {}, not {}", minimum, type_name(node)));
  }
  value = number;
}

void TomlReader::maybe(std::string_view key, bool& value) {
  if (!has(key)) return;
  const toml::node& node = *table_.get(key);
  if (!node.is_boolean()) fail(key, fmt::format("expected true or false, not {}", type_name(node)));
  value = node.ref<bool>();
}

void TomlReader::maybe(std::string_view key, Size2d& value, std::int64_t minimum) {
  if (has(key)) value = size2d(key, minimum);
}

const toml::table* TomlReader::maybe_table(std::string_view key) {
  if (!has(key)) return nullptr;
  const toml::node& node = *table_.get(key);
  if (!node.is_table()) fail(key, fmt::format("expected a table, not {}", type_name(node)));
  return node.as_table();
}

void TomlReader::finish() const {
  for (const auto& [key, node] : table_) {
    const std::string name(key.str());
    if (std::find(known_.begin(), known_.end(), name) == known_.end()) {
      fail(name, "unknown key" + did_you_mean(name, known_));
    }
  }
}

void TomlReader::fail(std::string_view key, const std::string& message) const {
  const toml::node* node = table_.get(key);
  const auto line = node != nullptr ? node->source().begin.line : table_.source().begin.line;
  throw Error(fmt::format("{}:{}: {}: `{}`: {}", origin_, line, what_, key, message));
}

void read_recipe(TomlReader& reader, TrainingRecipe& recipe) {
  if (reader.has("optimizer"))
    recipe.use_optimizer(static_cast<OptimizerKind>(reader.choice("optimizer", {"sgd", "adam", "adamw"})));
  reader.maybe("epochs", recipe.epochs, 1);
  reader.maybe("batch_size", recipe.batch_size, 1);
  reader.maybe("learning_rate", recipe.learning_rate, 0);
  reader.maybe("momentum", recipe.optimizer.momentum, 0);
  reader.maybe("weight_decay", recipe.optimizer.weight_decay, 0);
  reader.maybe("beta1", recipe.optimizer.beta1, 0);
  reader.maybe("beta2", recipe.optimizer.beta2, 0);
  reader.maybe("epsilon", recipe.optimizer.epsilon, 0);
  if (reader.has("schedule")) {
    recipe.schedule.kind =
        static_cast<ScheduleKind>(reader.choice("schedule", {schedule_names.begin(), schedule_names.end()}));
  }
  reader.maybe("warmup", recipe.schedule.warmup, 0);
  reader.maybe("decay_every", recipe.schedule.decay_every, 0);
  reader.maybe("decay_factor", recipe.schedule.decay_factor, 0);
}

std::string write_recipe(const TrainingRecipe& recipe) {
  // {} writes the shortest decimal that reads back to the same bits.
  std::string text;
  const auto line = [&text](std::string_view key, const auto& value) { text += fmt::format("{} = {}\n", key, value); };
  const auto quoted = [&line](std::string_view key, std::string_view value) {
    line(key, fmt::format("\"{}\"", value));
  };
  line("epochs", recipe.epochs);
  line("batch_size", recipe.batch_size);
  quoted("optimizer", to_string(recipe.optimizer.kind));
  line("learning_rate", recipe.learning_rate);
  line("momentum", recipe.optimizer.momentum);
  line("weight_decay", recipe.optimizer.weight_decay);
  line("beta1", recipe.optimizer.beta1);
  line("beta2", recipe.optimizer.beta2);
  line("epsilon", recipe.optimizer.epsilon);
  quoted("schedule", to_string(recipe.schedule.kind));
  line("warmup", recipe.schedule.warmup);
  line("decay_every", recipe.schedule.decay_every);
  line("decay_factor", recipe.schedule.decay_factor);
  return text;
}

}  // namespace touchstone
