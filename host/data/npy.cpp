// SPDX-License-Identifier: Apache-2.0
//
// NumPy's array files (numpy.lib.format): a magic string, a version, the length of a header, the header as a Python
// dictionary in text, then the elements.
#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "host/data/input_file.h"
#include "host/data/sample_file.h"
#include "touchstone/error.h"

namespace touchstone {
namespace {

static_assert(std::endian::native == std::endian::little, "arrays are read and written as they lie in memory");

constexpr std::string_view magic = "\x93NUMPY";

struct Header {
  std::string_view type;  // "<f8"
  bool fortran_order = false;
  std::vector<std::int64_t> shape;
  std::size_t size = 0;  // of all that stands before the elements, in bytes
};

[[noreturn]] void fail(const std::filesystem::path& file, std::string_view problem) {
  throw Error(fmt::format("{}: {}", quoted(file), problem));
}

/// What stands behind 'key': in the dictionary, without leading blanks; empty where the key is not there.
std::string_view value_of(std::string_view dictionary, std::string_view key) {
  std::size_t place = dictionary.find(fmt::format("'{}'", key));
  if (place == std::string_view::npos) return {};
  place = dictionary.find(':', place);
  if (place == std::string_view::npos) return {};
  place = dictionary.find_first_not_of(" \t", place + 1);
  return place == std::string_view::npos ? std::string_view() : dictionary.substr(place);
}

/// "(3, 4)" as {3, 4}; nothing where it is something else.
std::optional<std::vector<std::int64_t>> parse_shape(std::string_view text) {
  const std::size_t end = text.find(')');
  if (!text.starts_with('(') || end == std::string_view::npos) return std::nullopt;
  text = text.substr(1, end - 1);
  std::vector<std::int64_t> shape;
  while (true) {
    text.remove_prefix(std::min(text.find_first_not_of(" ,"), text.size()));
    if (text.empty()) return shape;
    std::int64_t size = 0;
    const auto [next, problem] = std::from_chars(text.data(), text.data() + text.size(), size);
    if (problem != std::errc{} || size < 0) return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(next - text.data()));
    if (!text.empty() && text.front() == 'L') text.remove_prefix(1);  // as Python 2 wrote it
    shape.push_back(size);
  }
}

Header parse_header(const std::filesystem::path& file, std::span<const std::uint8_t> bytes) {
  constexpr std::size_t version_place = magic.size();
  constexpr std::size_t length_place = version_place + 2;
  const unsigned version = bytes.size() > length_place ? bytes[version_place] : 0;
  if (version < 1 || version > 3) fail(file, fmt::format("NumPy format version {}; expected 1, 2 or 3", version));
  const std::size_t length_bytes = version == 1 ? 2 : 4;
  if (bytes.size() < length_place + length_bytes) fail(file, "the NumPy header is cut off");
  std::size_t length = 0;
  for (std::size_t i = 0; i < length_bytes; ++i) length |= std::size_t{bytes[length_place + i]} << (8 * i);
  const std::size_t begin = length_place + length_bytes;
  if (bytes.size() - begin < length) fail(file, "the NumPy header is cut off");

  const std::string_view dictionary(reinterpret_cast<const char*>(bytes.data()) + begin, length);
  Header header;
  header.size = begin + length;
  const std::string_view type = value_of(dictionary, "descr");
  const std::size_t type_end = type.empty() ? std::string_view::npos : type.find(type.front(), 1);
  const auto shape = parse_shape(value_of(dictionary, "shape"));
  if (type_end == std::string_view::npos || !shape) fail(file, "the NumPy header names no type or no shape");
  header.type = type.substr(1, type_end - 1);
  header.fortran_order = value_of(dictionary, "fortran_order").starts_with("True");
  header.shape = *shape;
  return header;
}

/// Element `index` of the file.
double element(std::span<const std::uint8_t> elements, std::size_t index, bool single) {
  if (single) {
    float value = 0;
    std::memcpy(&value, elements.data() + index * sizeof value, sizeof value);
    return value;
  }
  double value = 0;
  std::memcpy(&value, elements.data() + index * sizeof value, sizeof value);
  return value;
}

}  // namespace

std::string npy_header(std::int64_t count, std::int64_t dimensions) {
  constexpr std::size_t alignment = 64;  // of the elements in the file
  constexpr std::size_t preamble = magic.size() + 2 + 2;
  std::string dictionary =
      fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", count, dimensions);
  const std::size_t unpadded = preamble + dictionary.size() + 1;
  dictionary.append((alignment - unpadded % alignment) % alignment, ' ');
  dictionary += '\n';
  std::string header(magic);
  header += {'\x01', '\x00', static_cast<char>(dictionary.size() % 256), static_cast<char>(dictionary.size() / 256)};
  return header + dictionary;
}

bool is_npy(std::span<const std::uint8_t> bytes) {
  return bytes.size() >= magic.size() && std::memcmp(bytes.data(), magic.data(), magic.size()) == 0;
}

SampleMatrix decode_npy(const std::filesystem::path& file, std::span<const std::uint8_t> bytes) {
  const Header header = parse_header(file, bytes);
  const bool single = header.type == "<f4";
  if (!single && header.type != "<f8") {
    fail(file, fmt::format("the array has the type {}; expected <f4 (float32) or <f8 (float64): convert it with "
                           ".astype(float)",
                           header.type));
  }
  if (header.shape.empty() || header.shape.size() > 2) {
    fail(file, fmt::format("the array has {} axes; expected 2: samples and dimensions", header.shape.size()));
  }
  SampleMatrix samples;
  samples.count = header.shape[0];
  samples.dimensions = header.shape.size() == 2 ? header.shape[1] : 1;
  const std::size_t width = single ? sizeof(float) : sizeof(double);
  const std::span<const std::uint8_t> elements = bytes.subspan(header.size);
  const auto rows = static_cast<std::size_t>(samples.count);
  const auto columns = static_cast<std::size_t>(samples.dimensions);
  if (columns != 0 && rows > elements.size() / width / columns) {
    fail(file, fmt::format("{} x {} elements of {} bytes are announced, but {} bytes follow", rows, columns, width,
                           elements.size()));
  }
  samples.values.resize(rows * columns);
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < columns; ++c) {
      const std::size_t place = header.fortran_order ? c * rows + r : r * columns + c;
      samples.values[r * columns + c] = element(elements, place, single);
    }
  }
  return samples;
}

}  // namespace touchstone
