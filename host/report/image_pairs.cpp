// SPDX-License-Identifier: Apache-2.0
#include "host/report/image_pairs.h"

#include <algorithm>
#include <cstddef>

#include <fmt/format.h>

#include "touchstone/error.h"

namespace touchstone::report {
namespace {

constexpr std::int64_t pairs_per_row = 10;
constexpr std::int64_t small_image = 64;  // images are enlarged up to this height and width, in pixels
constexpr std::int64_t gap = 4;           // between neighbours, and between the images of a pair
constexpr std::int64_t row_gap = 12;      // between rows of pairs, and around all
constexpr std::uint8_t paper = 255;

/// Copies an image [C,H,W] to the picture, its upper left corner at (x, y), each pixel as a square.
void place(Picture& picture, std::int64_t x, std::int64_t y, const std::uint8_t* image, const ImageShape& shape,
           std::int64_t scale) {
  for (std::int64_t c = 0; c < shape.channels; ++c) {
    for (std::int64_t row = 0; row < shape.height * scale; ++row) {
      for (std::int64_t column = 0; column < shape.width * scale; ++column) {
        const std::int64_t to = ((y + row) * picture.width + x + column) * picture.channels + c;
        picture.pixels[static_cast<std::size_t>(to)] =
            image[(c * shape.height + row / scale) * shape.width + column / scale];
      }
    }
  }
}

}  // namespace

Picture draw_image_pairs(const ImageShape& shape, const std::vector<std::uint8_t>& upper,
                         const std::vector<std::uint8_t>& lower) {
  if (shape.channels != 1 && shape.channels != 3) {
    throw Error(fmt::format("images of {} channels cannot be drawn; expected 1 (grey) or 3 (colour)", shape.channels));
  }
  const std::int64_t pairs = static_cast<std::int64_t>(upper.size()) / shape.count();
  const std::int64_t columns = std::min(pairs, pairs_per_row);
  const std::int64_t rows = (pairs + columns - 1) / columns;
  const std::int64_t scale = std::max<std::int64_t>(1, small_image / std::max(shape.height, shape.width));
  const std::int64_t cell_width = shape.width * scale + gap;
  const std::int64_t image_height = shape.height * scale + gap;
  const std::int64_t row_height = 2 * image_height - gap + row_gap;

  Picture picture;
  picture.width = 2 * row_gap + columns * cell_width - gap;
  picture.height = row_gap + rows * row_height;
  picture.channels = shape.channels;
  picture.pixels.assign(static_cast<std::size_t>(picture.width * picture.height * picture.channels), paper);
  for (std::int64_t pair = 0; pair < pairs; ++pair) {
    const std::int64_t x = row_gap + pair % columns * cell_width;
    const std::int64_t y = row_gap + pair / columns * row_height;
    place(picture, x, y, upper.data() + pair * shape.count(), shape, scale);
    place(picture, x, y + image_height, lower.data() + pair * shape.count(), shape, scale);
  }
  return picture;
}

}  // namespace touchstone::report
