// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

#include "touchstone/pixel_buffer.h"

namespace touchstone {

/// A path as messages show it: in single quotes.
std::string quoted(const std::filesystem::path& path);

/// A regular file open for reading.
class InputFile {
 public:
  /// Throws Error naming the file where it does not exist, is no regular file or may not be read.
  explicit InputFile(std::filesystem::path path);
  InputFile(const InputFile&) = delete;
  InputFile& operator=(const InputFile&) = delete;
  ~InputFile();

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::uint64_t size() const { return size_; }

  /// Reads the bytes offset .. offset+count-1, which lie within size(). Throws Error where the file cannot be read.
  void read(std::uint64_t offset, std::uint8_t* bytes, std::size_t count) const;

  /// The first `count` bytes.
  [[nodiscard]] PixelBuffer read_prefix(std::uint64_t count) const;

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

}  // namespace touchstone
