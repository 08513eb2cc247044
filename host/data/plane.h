// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

namespace touchstone {

/// One channel of a picture while it is worked on: values 0..255, not rounded, row by row.
struct Plane {
  std::int64_t width = 0;
  std::int64_t height = 0;
  std::vector<float> values;

  Plane() = default;
  Plane(std::int64_t plane_width, std::int64_t plane_height, float value = 0)
      : width(plane_width), height(plane_height), values(static_cast<std::size_t>(width * height), value) {}

  [[nodiscard]] float& at(std::int64_t row, std::int64_t column) {
    return values[static_cast<std::size_t>(row * width + column)];
  }
  [[nodiscard]] float at(std::int64_t row, std::int64_t column) const {
    return values[static_cast<std::size_t>(row * width + column)];
  }
};

/// A rectangle of pixels: rows top..bottom-1, columns left..right-1.
struct Box {
  std::int64_t top = 0;
  std::int64_t bottom = 0;
  std::int64_t left = 0;
  std::int64_t right = 0;

  [[nodiscard]] std::int64_t width() const { return right - left; }
  [[nodiscard]] std::int64_t height() const { return bottom - top; }
};

/// The pixels of `plane` within `box`.
Plane crop(const Plane& plane, const Box& box);

/// `plane` at another size: per axis by area averaging where it shrinks, bilinear where it grows.
Plane resize(const Plane& plane, std::int64_t width, std::int64_t height);

/// Copies `plane` onto `canvas`, its first pixel at (top, left). It must lie within the canvas.
void paste(const Plane& plane, Plane& canvas, std::int64_t top, std::int64_t left);

}  // namespace touchstone
