// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "host/data/plane.h"
#include "touchstone/error.h"
#include "touchstone/image.h"

namespace touchstone {
namespace {

constexpr float white = 255;

// MNIST's digits fill a box of 20 pixels in an image of 28.
constexpr double box_share = 20.0 / 28.0;

// Large pictures are first reduced to so many times the size asked for: that averages noise away, and leaves enough
// detail to find the figure's edges.
constexpr std::int64_t working_scale = 8;

// A figure must stand out from the background by so much, or the picture is taken to hold none.
constexpr float least_contrast = 16;

// What is brighter than this, once levels are stretched, belongs to the figure.
constexpr float figure_threshold = 32;

Plane grey_plane(const Picture& picture) {
  Plane plane(picture.width, picture.height);
  const std::uint8_t* pixel = picture.pixels.data();
  for (float& value : plane.values) {
    // Rec. 601 luma, in thousandths.
    const int luma = picture.channels == 1 ? 1000 * pixel[0] : 299 * pixel[0] + 587 * pixel[1] + 114 * pixel[2];
    const int rounded = (luma + 500) / 1000;
    value = static_cast<float>(rounded);
    pixel += picture.channels;
  }
  return plane;
}

Plane colour_plane(const Picture& picture, std::int64_t channel) {
  Plane plane(picture.width, picture.height);
  const std::uint8_t* pixel = picture.pixels.data() + (picture.channels == 1 ? 0 : channel);
  for (float& value : plane.values) {
    value = *pixel;
    pixel += picture.channels;
  }
  return plane;
}

// The values along the four edges, sorted.
std::vector<float> sorted_border(const Plane& plane) {
  std::vector<float> border;
  for (std::int64_t row = 0; row < plane.height; ++row) {
    const bool edge = row == 0 || row + 1 == plane.height;
    const std::int64_t step = edge ? 1 : std::max<std::int64_t>(plane.width - 1, 1);
    for (std::int64_t column = 0; column < plane.width; column += step) border.push_back(plane.at(row, column));
  }
  std::sort(border.begin(), border.end());
  return border;
}

float quantile(const std::vector<float>& sorted, double fraction) {
  return sorted[static_cast<std::size_t>(fraction * static_cast<double>(sorted.size() - 1))];
}

// The background of a picture: the median of its border.
float background_of(const Plane& plane) { return quantile(sorted_border(plane), 0.5); }

bool has_size(const Plane& plane, const ImageShape& shape) {
  return plane.width == shape.width && plane.height == shape.height;
}

// `plane` in the largest size of its proportions that fits into width x height.
Plane resize_into(const Plane& plane, double width, double height) {
  const double scale = std::min(width / static_cast<double>(plane.width), height / static_cast<double>(plane.height));
  const auto scaled = [scale](std::int64_t side) {
    return std::max<std::int64_t>(std::llround(scale * static_cast<double>(side)), 1);
  };
  return resize(plane, scaled(plane.width), scaled(plane.height));
}

// The whole picture in the middle of a canvas of the background's colour.
Plane fit_whole(const Plane& plane, const ImageShape& shape) {
  if (has_size(plane, shape)) return plane;
  const Plane resized = resize_into(plane, static_cast<double>(shape.width), static_cast<double>(shape.height));
  Plane canvas(shape.width, shape.height, background_of(plane));
  paste(resized, canvas, (shape.height - resized.height) / 2, (shape.width - resized.width) / 2);
  return canvas;
}

Plane reduce(Plane plane, const ImageShape& shape) {
  const std::int64_t limit = working_scale * std::max(shape.height, shape.width);
  if (std::max(plane.width, plane.height) <= limit) return plane;
  return resize_into(plane, static_cast<double>(limit), static_cast<double>(limit));
}

// Spreads the values so that the background, with what unevenness its border shows, is 0 and the brightest is 255.
void stretch_levels(Plane& plane, float background, float brightest) {
  const float unevenness = quantile(sorted_border(plane), 0.95) - background;
  const float black = background + std::min(unevenness, (brightest - background) / 2);
  for (float& value : plane.values) value = std::clamp((value - black) * white / (brightest - black), 0.0F, white);
}

// The smallest box that holds the figure, which is there: the brightest pixel is 255.
Box figure_box(const Plane& plane) {
  Box box = {plane.height, 0, plane.width, 0};
  for (std::int64_t row = 0; row < plane.height; ++row)
    for (std::int64_t column = 0; column < plane.width; ++column)
      if (plane.at(row, column) > figure_threshold) {
        box.top = std::min(box.top, row);
        box.bottom = std::max(box.bottom, row + 1);
        box.left = std::min(box.left, column);
        box.right = std::max(box.right, column + 1);
      }
  return box;
}

// Pastes `figure` so that its centre of mass falls on pixel (height/2, width/2), as in MNIST, or as near as the
// canvas allows.
Plane centre_by_mass(const Plane& figure, const ImageShape& shape) {
  double mass = 0;
  double row_moment = 0;
  double column_moment = 0;
  for (std::int64_t row = 0; row < figure.height; ++row)
    for (std::int64_t column = 0; column < figure.width; ++column) {
      const double value = figure.at(row, column);
      mass += value;
      row_moment += value * static_cast<double>(row);
      column_moment += value * static_cast<double>(column);
    }
  const auto start = [mass](double moment, std::int64_t size, std::int64_t room) {
    const std::int64_t middle = room / 2;
    const double centred = static_cast<double>(middle) - moment / mass;
    return std::clamp<std::int64_t>(std::llround(centred), 0, room - size);
  };
  Plane canvas(shape.width, shape.height);
  paste(figure, canvas, start(row_moment, figure.height, shape.height),
        start(column_moment, figure.width, shape.width));
  return canvas;
}

// A light figure on dark ground, as MNIST shows its digits.
Plane fit_figure(Plane plane, const ImageShape& shape) {
  if (background_of(plane) > white / 2)
    for (float& value : plane.values) value = white - value;
  if (has_size(plane, shape)) return plane;

  plane = reduce(std::move(plane), shape);
  const float background = background_of(plane);
  const float brightest = *std::max_element(plane.values.begin(), plane.values.end());
  if (brightest - background < least_contrast) return fit_whole(plane, shape);
  stretch_levels(plane, background, brightest);
  const Plane figure = resize_into(crop(plane, figure_box(plane)), box_share * static_cast<double>(shape.width),
                                   box_share * static_cast<double>(shape.height));
  return centre_by_mass(figure, shape);
}

void append_rounded(const Plane& plane, std::vector<std::uint8_t>& pixels) {
  for (const float value : plane.values)
    pixels.push_back(static_cast<std::uint8_t>(std::lround(std::clamp(value, 0.0F, white))));
}

}  // namespace

std::vector<std::uint8_t> fit_picture(const Picture& picture, const ImageShape& shape) {
  std::vector<std::uint8_t> pixels;
  pixels.reserve(static_cast<std::size_t>(shape.count()));
  if (shape.channels == 1) {
    append_rounded(fit_figure(grey_plane(picture), shape), pixels);
  } else if (shape.channels == 3) {
    for (std::int64_t channel = 0; channel < 3; ++channel)
      append_rounded(fit_whole(colour_plane(picture, channel), shape), pixels);
  } else {
    throw Error(fmt::format("a picture fits images of 1 or 3 channels, not of {}", shape.channels));
  }
  return pixels;
}

}  // namespace touchstone
