// SPDX-License-Identifier: Apache-2.0
//
// Samples as text: one a line, its numbers between commas, semicolons, blanks or tabs. Empty lines and what follows #
// are passed over, and so is a first line of which no field is a number: the headings.
#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

#include <fmt/format.h>

#include "host/data/input_file.h"
#include "host/data/sample_file.h"
#include "touchstone/error.h"

namespace touchstone {
namespace {

constexpr std::string_view blanks = " \t\r";

std::string_view trim(std::string_view text) {
  const std::size_t first = text.find_first_not_of(blanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

/// The fields of a line: between commas or semicolons where it has any, else between blanks.
std::vector<std::string_view> fields_of(std::string_view line) {
  const bool separated = line.find_first_of(",;") != std::string_view::npos;
  const std::string_view separators = separated ? ",;" : " \t";
  std::vector<std::string_view> fields;
  while (true) {
    const std::size_t end = std::min(line.find_first_of(separators), line.size());
    fields.push_back(trim(line.substr(0, end)));
    if (end == line.size()) return fields;
    line.remove_prefix(end + 1);
    if (!separated) line = trim(line);
  }
}

std::optional<double> parse(std::string_view field) {
  if (field.size() >= 2 && field.front() == '"' && field.back() == '"') field = field.substr(1, field.size() - 2);
  if (field.starts_with('+')) field.remove_prefix(1);
  double value = 0;
  const auto [end, problem] = std::from_chars(field.data(), field.data() + field.size(), value);
  if (field.empty() || problem != std::errc{} || end != field.data() + field.size()) return std::nullopt;
  return value;
}

bool is_heading(const std::vector<std::string_view>& fields) {
  return std::none_of(fields.begin(), fields.end(), [](std::string_view field) { return parse(field).has_value(); });
}

void add_sample(const std::filesystem::path& file, std::int64_t line, const std::vector<std::string_view>& fields,
                SampleMatrix& samples) {
  const auto count = static_cast<std::int64_t>(fields.size());
  if (samples.count > 0 && count != samples.dimensions) {
    throw Error(fmt::format("{}: line {} has {} numbers; expected {}, as in the lines before", quoted(file), line,
                            count, samples.dimensions));
  }
  samples.dimensions = count;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const std::optional<double> value = parse(fields[i]);
    if (!value) {
      throw Error(fmt::format("{}: field {} of line {} is '{}'; expected a number", quoted(file), i + 1, line,
                              fields[i].substr(0, 40)));
    }
    samples.values.push_back(*value);
  }
  ++samples.count;
}

}  // namespace

SampleMatrix decode_csv(const std::filesystem::path& file, std::span<const std::uint8_t> bytes) {
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.find('\0') != std::string_view::npos) {
    throw Error(fmt::format("{}: neither a NumPy array (.npy) nor text with a sample a line", quoted(file)));
  }
  SampleMatrix samples;
  bool first = true;
  for (std::int64_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    line = trim(line.substr(0, line.find('#')));
    if (line.empty()) continue;
    const std::vector<std::string_view> fields = fields_of(line);
    if (!first || !is_heading(fields)) add_sample(file, number, fields, samples);
    first = false;
  }
  return samples;
}

}  // namespace touchstone
