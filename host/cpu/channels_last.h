// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "touchstone/conv2d_maxpool_sigmoid.h"

namespace touchstone::cpu {

/// Floats of a cache line, and of the widest vector of any instruction set in use.
constexpr std::int64_t line_floats = 16;

constexpr std::int64_t whole_lines(std::int64_t floats) {
  return (floats + line_floats - 1) / line_floats * line_floats;
}

/// An image as the fused blocks keep it between them: [height][width][channels], each row filled up to whole lines; of
/// one channel it is a plane as it is. What fills it up may be anything, and a line may be read beyond the end.
struct ChannelsLast {
  std::int64_t height = 1;
  std::int64_t width = 1;
  std::int64_t channels = 1;

  [[nodiscard]] constexpr bool is_plane() const { return channels == 1; }
  [[nodiscard]] constexpr std::int64_t row() const { return width * channels; }
  /// Floats from row to row.
  [[nodiscard]] constexpr std::int64_t pitch() const { return is_plane() ? row() : whole_lines(row()); }
  [[nodiscard]] constexpr std::int64_t floats() const { return height * pitch(); }
};

constexpr ChannelsLast input_image(const Conv2dMaxpoolSigmoidShape& shape) {
  return {.height = shape.conv2d.height, .width = shape.conv2d.width, .channels = shape.conv2d.channels};
}

constexpr ChannelsLast output_image(const Conv2dMaxpoolSigmoidShape& shape) {
  return {.height = shape.out_h(), .width = shape.out_w(), .channels = shape.conv2d.filters};
}

}  // namespace touchstone::cpu
