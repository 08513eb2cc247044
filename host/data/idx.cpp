// SPDX-License-Identifier: Apache-2.0
#include "host/data/idx.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "host/data/gzip.h"
#include "host/data/input_file.h"
#include "touchstone/error.h"

namespace touchstone {
namespace {

constexpr std::size_t max_rank = 4;
constexpr std::size_t magic_size = 4;
constexpr std::size_t max_header_size = magic_size + 4 * max_rank;
constexpr std::uint8_t unsigned_byte = 0x08;

struct IdxHeader {
  std::vector<std::uint32_t> sizes;
  std::uint64_t file_size = 0;  ///< of the uncompressed file: header and elements

  [[nodiscard]] std::size_t header_size() const { return magic_size + 4 * sizes.size(); }
};

[[noreturn]] void fail(const std::filesystem::path& path, std::string_view what) {
  throw Error(fmt::format("{}: {}", quoted(path), what));
}

std::string element_type_name(std::uint8_t type) {
  switch (type) {
    case unsigned_byte:
      return "unsigned byte (0x08)";
    case 0x09:
      return "signed byte (0x09)";
    case 0x0B:
      return "int16 (0x0B)";
    case 0x0C:
      return "int32 (0x0C)";
    case 0x0D:
      return "float32 (0x0D)";
    case 0x0E:
      return "float64 (0x0E)";
    default:
      return fmt::format("an unknown type (0x{:02X})", type);
  }
}

std::string_view size_name(std::size_t rank, std::size_t index) {
  static constexpr std::array<std::string_view, 4> rank_4 = {"count", "channels", "height", "width"};
  static constexpr std::array<std::string_view, 3> rank_3 = {"count", "height", "width"};
  return rank == 4 ? rank_4.at(index) : rank_3.at(index);
}

std::string describe(const std::vector<std::uint32_t>& sizes) { return fmt::format("{}", fmt::join(sizes, "x")); }

void check_rank(const std::filesystem::path& path, IdxContent content, std::size_t rank) {
  if (content == IdxContent::images && rank != 3 && rank != 4)
    fail(path, fmt::format("rank: expected 3 or 4 for images, got {}", rank));
  if (content == IdxContent::labels && rank != 1) fail(path, fmt::format("rank: expected 1 for labels, got {}", rank));
}

std::uint32_t big_endian_32(const std::uint8_t* bytes) {
  return std::uint32_t{bytes[0]} << 24U | std::uint32_t{bytes[1]} << 16U | std::uint32_t{bytes[2]} << 8U |
         std::uint32_t{bytes[3]};
}

std::uint64_t file_size_of(const std::filesystem::path& path, const std::vector<std::uint32_t>& sizes) {
  std::uint64_t size = 1;
  bool overflows = false;
  for (const std::uint32_t factor : sizes) overflows |= __builtin_mul_overflow(size, std::uint64_t{factor}, &size);
  overflows |= __builtin_add_overflow(size, magic_size + 4 * sizes.size(), &size);
  if (overflows || size > static_cast<std::uint64_t>(PTRDIFF_MAX))
    fail(path, fmt::format("sizes {}: their product is more than any file can hold", describe(sizes)));
  return size;
}

// `prefix` is the file's beginning, all of it where it is shorter than the longest header.
IdxHeader parse_header(const std::filesystem::path& path, IdxContent content, std::span<const std::uint8_t> prefix) {
  if (prefix.size() < magic_size)
    fail(path,
         fmt::format("header: expected at least {} bytes, got {}: the file is truncated", magic_size, prefix.size()));
  if (prefix[0] != 0 || prefix[1] != 0)
    fail(path, fmt::format("magic number: expected two zero bytes, got 0x{:02X} 0x{:02X}: this is no IDX file",
                           prefix[0], prefix[1]));
  if (prefix[2] != unsigned_byte)
    fail(path, fmt::format("element type: expected {}, got {}", element_type_name(unsigned_byte),
                           element_type_name(prefix[2])));
  const std::size_t rank = prefix[3];
  check_rank(path, content, rank);

  IdxHeader header;
  header.sizes.resize(rank);
  if (prefix.size() < header.header_size())
    fail(path, fmt::format("header: expected {} bytes for rank {}, got {}: the file is truncated", header.header_size(),
                           rank, prefix.size()));
  for (std::size_t i = 0; i < rank; ++i) {
    header.sizes[i] = big_endian_32(prefix.data() + magic_size + 4 * i);
    if (header.sizes[i] == 0) fail(path, fmt::format("{}: expected at least 1, got 0", size_name(rank, i)));
  }
  header.file_size = file_size_of(path, header.sizes);
  return header;
}

[[noreturn]] void fail_over_size(const std::filesystem::path& path, const IdxHeader& header, std::string_view got,
                                 std::string_view verdict) {
  fail(path, fmt::format("sizes {}: expected {} bytes with the header, got {}: {}", describe(header.sizes),
                         header.file_size, got, verdict));
}

constexpr std::string_view truncated = "the file is truncated";
constexpr std::string_view over_long = "the file is over-long";

IdxFile read_plain(const InputFile& file, IdxContent content, std::span<const std::uint8_t> prefix) {
  IdxHeader header = parse_header(file.path(), content, prefix);
  if (file.size() != header.file_size)
    fail_over_size(file.path(), header, fmt::format("{}", file.size()),
                   file.size() < header.file_size ? truncated : over_long);
  PixelBuffer contents = file.read_prefix(header.file_size);
  contents.remove_prefix(header.header_size());
  return {file.path(), std::move(header.sizes), std::move(contents), std::nullopt};
}

IdxHeader peek_header(const std::filesystem::path& path, IdxContent content, std::span<const std::uint8_t> data) {
  std::array<std::uint8_t, max_header_size> prefix = {};
  const std::size_t size = gzip::peek(data, prefix);
  const std::span<std::uint8_t> decoded = std::span(prefix).first(size);
  // Fewer bytes than a header has: because the data are broken, or because they hold no more?
  if (size < prefix.size() && gzip::decompress(data, decoded).outcome == gzip::Outcome::failed)
    fail(path, gzip::find_fault(data, size).value_or("corrupt gzip data"));
  if (size == 0) fail(path, "the file is empty once decompressed");
  return parse_header(path, content, decoded);
}

IdxFile read_gzip(const InputFile& file, IdxContent content) {
  const PixelBuffer compressed = file.read_prefix(file.size());
  const std::span<const std::uint8_t> data(compressed.data(), compressed.size());
  IdxHeader header = peek_header(file.path(), content, data);
  if (header.file_size / gzip::max_ratio > file.size())
    fail_over_size(file.path(), header, fmt::format("a gzip file of {}, too small to hold them", file.size()),
                   truncated);

  PixelBuffer contents = PixelBuffer::uninitialised(static_cast<std::size_t>(header.file_size));
  const gzip::Result result = gzip::decompress(data, {contents.data(), contents.size()});
  if (result.outcome == gzip::Outcome::failed) {
    if (const auto fault = gzip::find_fault(data, header.file_size)) fail(file.path(), *fault);
    fail_over_size(file.path(), header, "more", over_long);
  }
  if (result.outcome == gzip::Outcome::too_short)
    fail_over_size(file.path(), header, fmt::format("{}", result.size), truncated);
  contents.remove_prefix(header.header_size());
  return {file.path(), std::move(header.sizes), std::move(contents), result.crc32};
}

}  // namespace

IdxFile read_idx(const std::filesystem::path& path, IdxContent content) {
  const InputFile file(path);
  if (file.size() == 0) fail(path, "the file is empty");
  const PixelBuffer start = file.read_prefix(std::min<std::uint64_t>(file.size(), max_header_size));
  const std::span<const std::uint8_t> prefix(start.data(), start.size());
  return gzip::detect(prefix) ? read_gzip(file, content) : read_plain(file, content, prefix);
}

}  // namespace touchstone
