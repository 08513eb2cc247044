// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <vector>

#include <libdeflate.h>

namespace touchstone::test {

/// The header of an IDX file; element type 0x08 is the unsigned byte.
inline std::string idx_header(const std::vector<std::uint32_t>& sizes, std::uint8_t type = 0x08) {
  std::string bytes = {'\0', '\0', static_cast<char>(type), static_cast<char>(sizes.size())};
  for (const std::uint32_t size : sizes)
    for (int shift = 24; shift >= 0; shift -= 8)
      bytes.push_back(static_cast<char>(size >> static_cast<unsigned>(shift)));
  return bytes;
}

/// An IDX file of unsigned bytes whose element i is (i * step + start) modulo 251: a prime, so that no row is like
/// another.
inline std::string idx_bytes(const std::vector<std::uint32_t>& sizes, unsigned start = 0, unsigned step = 1) {
  std::size_t count = 1;
  for (const std::uint32_t size : sizes) count *= size;
  std::string bytes = idx_header(sizes);
  for (std::size_t i = 0; i < count; ++i) bytes.push_back(static_cast<char>((i * step + start) % 251));
  return bytes;
}

/// `data` as one gzip member.
inline std::string gzip(std::string_view data) {
  constexpr int level = 6;
  const std::unique_ptr<libdeflate_compressor, decltype(&libdeflate_free_compressor)> compressor(
      libdeflate_alloc_compressor(level), libdeflate_free_compressor);
  if (!compressor) throw std::bad_alloc();
  std::string compressed(libdeflate_gzip_compress_bound(compressor.get(), data.size()), '\0');
  compressed.resize(
      libdeflate_gzip_compress(compressor.get(), data.data(), data.size(), compressed.data(), compressed.size()));
  return compressed;
}

}  // namespace touchstone::test
