// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <string_view>

#include <libdeflate.h>

namespace touchstone::test {

inline std::string big_endian(std::uint32_t value) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8)
    bytes.push_back(static_cast<char>(value >> static_cast<unsigned>(shift)));
  return bytes;
}

/// A chunk of a PNG file: length, type, data, CRC-32.
inline std::string png_chunk(std::string_view type, std::string_view data) {
  const std::string body = std::string(type).append(data);
  return big_endian(static_cast<std::uint32_t>(data.size())) + body +
         big_endian(libdeflate_crc32(0, body.data(), body.size()));
}

inline std::string zlib(std::string_view data) {
  const std::unique_ptr<libdeflate_compressor, decltype(&libdeflate_free_compressor)> compressor(
      libdeflate_alloc_compressor(6), libdeflate_free_compressor);
  if (!compressor) throw std::bad_alloc();
  std::string compressed(libdeflate_zlib_compress_bound(compressor.get(), data.size()), '\0');
  compressed.resize(
      libdeflate_zlib_compress(compressor.get(), data.data(), data.size(), compressed.data(), compressed.size()));
  return compressed;
}

/// PNG's colour types.
enum class PngColour : std::uint8_t { grey = 0, rgb = 2, palette = 3, grey_alpha = 4, rgb_alpha = 6 };

/// What a PNG file says of itself.
struct PngHeader {
  std::uint32_t width = 1;
  std::uint32_t height = 1;
  std::uint8_t bit_depth = 8;
  PngColour colour = PngColour::grey;
  bool interlaced = false;
};

/// A PNG file with the given filtered rows (each led by its filter type) and further chunks before them.
inline std::string png(const PngHeader& header, std::string_view rows, std::string_view chunks = "") {
  const std::string description = big_endian(header.width) + big_endian(header.height) +
                                  static_cast<char>(header.bit_depth) + static_cast<char>(header.colour) + '\0' + '\0' +
                                  static_cast<char>(header.interlaced ? 1 : 0);
  return std::string("\x89PNG\r\n\x1A\n")
      .append(png_chunk("IHDR", description))
      .append(chunks)
      .append(png_chunk("IDAT", zlib(rows)))
      .append(png_chunk("IEND", ""));
}

}  // namespace touchstone::test
