// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include <fmt/format.h>

#include "host/data/input_file.h"
#include "host/data/picture_formats.h"
#include "touchstone/error.h"
#include "touchstone/image.h"

namespace touchstone {
namespace {

constexpr std::uint64_t max_file_size = std::uint64_t{1} << 29U;  // bytes
constexpr std::uint64_t max_side = 16384;                         // pixels
constexpr std::uint64_t max_area = std::uint64_t{1} << 26U;       // pixels: 8192 x 8192
constexpr std::uint64_t signature_size = 8;

}  // namespace

void check_picture_size(const std::filesystem::path& file, std::uint64_t width, std::uint64_t height) {
  if (width == 0 || height == 0)
    throw Error(fmt::format("{}: size {}x{}: expected at least 1x1", quoted(file), width, height));
  if (width > max_side || height > max_side || width * height > max_area)
    throw Error(fmt::format("{}: size {}x{}: expected sides of at most {} and at most {} pixels", quoted(file), width,
                            height, max_side, max_area));
}

Picture load_picture(const std::filesystem::path& file) {
  const InputFile input(file);
  if (input.size() == 0) throw Error(fmt::format("{}: the file is empty", quoted(file)));
  const PixelBuffer start = input.read_prefix(std::min(input.size(), signature_size));
  const std::span<const std::uint8_t> signature(start.data(), start.size());
  const bool png = is_png(signature);
  if (!png && !is_pgm(signature))
    throw Error(fmt::format("{}: expected a PNG or PGM (P2 or P5) picture, got neither", quoted(file)));
  if (input.size() > max_file_size)
    throw Error(fmt::format("{}: expected at most {} bytes, got {}", quoted(file), max_file_size, input.size()));

  const PixelBuffer contents = input.read_prefix(input.size());
  const std::span<const std::uint8_t> data(contents.data(), contents.size());
  return png ? decode_png(file, data) : decode_pgm(file, data);
}

}  // namespace touchstone
