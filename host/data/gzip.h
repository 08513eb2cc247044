// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

namespace touchstone::gzip {

/// The most that one byte of deflate data can stand for: two bits encode a match of 258 bytes.
inline constexpr std::uint64_t max_ratio = 1032;

/// Whether data begin as gzip data do.
bool detect(std::span<const std::uint8_t> data);

/// Decodes the first output.size() bytes, without a look at what follows them. Returns how many there are.
std::size_t peek(std::span<const std::uint8_t> data, std::span<std::uint8_t> output);

enum class Outcome : std::uint8_t {
  success,
  too_short,  ///< fewer bytes than there is room for
  failed,     ///< more bytes than there is room for, or no valid gzip data: find_fault() tells
};

/// What decompress() found.
struct Result {
  Outcome outcome = Outcome::success;
  std::size_t size = 0;  ///< bytes decoded
  /// The CRC-32 of all that was decoded, where the data are one member: gzip stores it, so it costs nothing.
  std::optional<std::uint32_t> crc32;
};

/// Decodes all members of gzip data into `output`, which they should fill exactly.
Result decompress(std::span<const std::uint8_t> data, std::span<std::uint8_t> output);

/// Why data are no valid gzip data, in words; nothing where they decode to more than `limit` bytes without a fault.
/// Slow: for error messages.
std::optional<std::string> find_fault(std::span<const std::uint8_t> data, std::uint64_t limit);

}  // namespace touchstone::gzip
