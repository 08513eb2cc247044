// SPDX-License-Identifier: Apache-2.0
#include "host/report/image_drawing.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <string_view>

#include <fmt/format.h>

#include "host/report/table.h"

namespace touchstone::report {
namespace {

/// Red, green, blue, each 0..1.
using Colour = std::array<double, 3>;

/// An image reduced to the grid it is drawn on.
struct Grid {
  std::int64_t height = 0;
  std::int64_t width = 0;
  std::vector<Colour> colours;  // [height,width]

  [[nodiscard]] Colour at(std::int64_t row, std::int64_t column) const {
    if (row >= height) return Colour{};
    return colours[static_cast<std::size_t>(row * width + column)];
  }
};

Colour colour_of(const std::uint8_t* pixels, const ImageShape& shape, std::int64_t place) {
  const std::int64_t plane = shape.height * shape.width;
  if (shape.channels == 3) {
    return {pixels[place] / 255.0, pixels[plane + place] / 255.0, pixels[2 * plane + place] / 255.0};
  }
  double sum = 0;
  for (std::int64_t channel = 0; channel < shape.channels; ++channel) sum += pixels[channel * plane + place];
  const double grey = sum / (255.0 * static_cast<double>(shape.channels));
  return {grey, grey, grey};
}

/// The part of source pixel `pixel` that lies in [from, to).
double overlap(std::int64_t pixel, double from, double to) {
  const auto start = static_cast<double>(pixel);
  return std::max(0.0, std::min(to, start + 1) - std::max(from, start));
}

/// The mean colour of a rectangle of the image.
Colour area_mean(const std::uint8_t* pixels, const ImageShape& shape, double top, double bottom, double left,
                 double right) {
  Colour mean{};
  const double area = (bottom - top) * (right - left);
  for (auto y = static_cast<std::int64_t>(top); y < shape.height && static_cast<double>(y) < bottom; ++y) {
    for (auto x = static_cast<std::int64_t>(left); x < shape.width && static_cast<double>(x) < right; ++x) {
      const double weight = overlap(y, top, bottom) * overlap(x, left, right) / area;
      const Colour colour = colour_of(pixels, shape, y * shape.width + x);
      for (std::size_t i = 0; i < mean.size(); ++i) mean[i] += weight * colour[i];
    }
  }
  return mean;
}

Grid reduce(const std::uint8_t* pixels, const ImageShape& shape, int columns) {
  Grid grid;
  grid.width = drawn_width(shape, columns);
  const double scale = static_cast<double>(shape.width) / static_cast<double>(grid.width);
  const auto height = static_cast<double>(shape.height);
  grid.height = std::max<std::int64_t>(1, std::llround(height / scale));
  const double row_scale = height / static_cast<double>(grid.height);
  for (std::int64_t row = 0; row < grid.height; ++row) {
    for (std::int64_t column = 0; column < grid.width; ++column) {
      const auto y = static_cast<double>(row);
      const auto x = static_cast<double>(column);
      grid.colours.push_back(area_mean(pixels, shape, y * row_scale, (y + 1) * row_scale, x * scale, (x + 1) * scale));
    }
  }
  return grid;
}

/// The nearest colour of the 256 that terminals agree on: 24 greys (232..255) or the 6x6x6 cube (16..231).
int terminal_colour(const Colour& colour) {
  if (colour[0] == colour[1] && colour[1] == colour[2]) return 232 + static_cast<int>(std::lround(colour[0] * 23));
  const auto level = [](double part) { return static_cast<int>(std::lround(part * 5)); };
  return 16 + 36 * level(colour[0]) + 6 * level(colour[1]) + level(colour[2]);
}

double brightness(const Colour& colour) { return 0.299 * colour[0] + 0.587 * colour[1] + 0.114 * colour[2]; }

std::string draw_coloured_line(const Grid& grid, std::int64_t row) {
  std::string line;
  int last_upper = -1;
  int last_lower = -1;
  for (std::int64_t column = 0; column < grid.width; ++column) {
    const int upper = terminal_colour(grid.at(row, column));
    const int lower = terminal_colour(grid.at(row + 1, column));
    if (upper != last_upper || lower != last_lower) line += fmt::format("\x1b[38;5;{};48;5;{}m", upper, lower);
    line += "▀";
    last_upper = upper;
    last_lower = lower;
  }
  return line + "\x1b[0m";
}

std::string draw_shaded_line(const Grid& grid, std::int64_t row, bool unicode) {
  static constexpr std::array<std::string_view, 5> blocks = {" ", "░", "▒", "▓", "█"};
  static constexpr std::string_view letters = " .:-=+*#%@";
  std::string line;
  for (std::int64_t column = 0; column < grid.width; ++column) {
    const double grey = (brightness(grid.at(row, column)) + brightness(grid.at(row + 1, column))) / 2;
    const std::size_t shades = unicode ? blocks.size() : letters.size();
    const auto shade = static_cast<std::size_t>(std::lround(grey * static_cast<double>(shades - 1)));
    line += unicode ? blocks.at(shade) : letters.substr(shade, 1);
  }
  return line;
}

}  // namespace

int drawn_width(const ImageShape& shape, int columns) {
  return static_cast<int>(std::clamp<std::int64_t>(shape.width, 1, std::max(1, columns)));
}

std::vector<std::string> draw_image(const std::uint8_t* pixels, const ImageShape& shape, int columns,
                                    const TerminalTraits& traits) {
  const Grid grid = reduce(pixels, shape, columns);
  const bool coloured = traits.colour && traits.unicode;
  std::vector<std::string> lines;
  for (std::int64_t row = 0; row < grid.height; row += 2) {
    lines.push_back(coloured ? draw_coloured_line(grid, row) : draw_shaded_line(grid, row, traits.unicode));
  }
  return lines;
}

std::string arrange_drawings(const std::vector<std::vector<std::string>>& drawings,
                             const std::vector<std::string>& captions, int width) {
  std::size_t cell = 1;
  for (std::size_t i = 0; i < drawings.size(); ++i) {
    cell = std::max(cell, display_width(captions[i]));
    for (const std::string& line : drawings[i]) cell = std::max(cell, display_width(line));
  }
  const std::size_t per_row = std::max<std::size_t>(1, (static_cast<std::size_t>(width) + 2) / (cell + 2));
  std::string text;
  for (std::size_t first = 0; first < drawings.size(); first += per_row) {
    const std::size_t last = std::min(first + per_row, drawings.size());
    std::size_t height = 0;
    for (std::size_t i = first; i < last; ++i) height = std::max(height, drawings[i].size());
    for (std::size_t line = 0; line <= height; ++line) {
      std::string row;
      for (std::size_t i = first; i < last; ++i) {
        const bool caption = line == height;
        const std::string& part = caption ? captions[i] : drawings[i][std::min(line, drawings[i].size() - 1)];
        row += pad(part, cell, Align::left) + "  ";
      }
      row.erase(row.find_last_not_of(' ') + 1);
      text += row + "\n";
    }
  }
  return text;
}

}  // namespace touchstone::report
