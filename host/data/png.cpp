// SPDX-License-Identifier: Apache-2.0
// By libpng's simplified interface: it catches its own errors, so that no longjmp crosses C++ frames.
#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <png.h>

#include "host/data/input_file.h"
#include "host/data/picture_formats.h"
#include "touchstone/error.h"

namespace touchstone {
namespace {

// libpng's description of an image being read, freed whatever happens.
struct PngImage : png_image {
  PngImage() : png_image() { version = PNG_IMAGE_VERSION; }
  PngImage(const PngImage&) = delete;
  PngImage& operator=(const PngImage&) = delete;
  ~PngImage() { png_image_free(this); }
};

[[noreturn]] void fail(const std::filesystem::path& file, const PngImage& image) {
  throw Error(fmt::format("{}: truncated or corrupt PNG: {}", quoted(file), image.message));
}

}  // namespace

bool is_png(std::span<const std::uint8_t> data) {
  constexpr std::array<std::uint8_t, 8> signature = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
  return data.size() >= signature.size() && std::equal(signature.begin(), signature.end(), data.begin());
}

Picture decode_png(const std::filesystem::path& file, std::span<const std::uint8_t> data) {
  PngImage image;
  if (png_image_begin_read_from_memory(&image, data.data(), data.size()) == 0) fail(file, image);
  check_picture_size(file, image.width, image.height);

  const bool colour = (image.format & PNG_FORMAT_FLAG_COLOR) != 0;
  image.format = colour ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  // 16-bit samples without a stated gamma are taken as 8-bit ones are, not as linear light.
  image.flags |= PNG_IMAGE_FLAG_16BIT_sRGB;
  Picture picture;
  picture.width = image.width;
  picture.height = image.height;
  picture.channels = colour ? 3 : 1;
  picture.pixels.resize(static_cast<std::size_t>(picture.width * picture.height * picture.channels));
  const png_color white = {255, 255, 255};
  constexpr png_int_32 packed_rows = 0;
  if (png_image_finish_read(&image, &white, picture.pixels.data(), packed_rows, nullptr) == 0) fail(file, image);
  return picture;
}

std::vector<std::uint8_t> encode_png(const Picture& picture) {
  PngImage image;
  image.width = static_cast<png_uint_32>(picture.width);
  image.height = static_cast<png_uint_32>(picture.height);
  image.format = picture.channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  constexpr png_int_32 packed_rows = 0;
  std::vector<std::uint8_t> data;
  png_alloc_size_t size = 0;  // asked for first, then filled
  for (int pass = 0; pass < 2; ++pass) {
    if (png_image_write_to_memory(&image, data.empty() ? nullptr : data.data(), &size, 0, picture.pixels.data(),
                                  packed_rows, nullptr) == 0) {
      throw Error(fmt::format("a picture of {} x {} pixels cannot be encoded: {}", picture.width, picture.height,
                              image.message));
    }
    data.resize(size);
  }
  return data;
}

}  // namespace touchstone
