// SPDX-License-Identifier: Apache-2.0
#include "host/report/heat_map.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include <fmt/format.h>

#include "host/report/bitmap_font.h"

namespace touchstone::report {
namespace {

constexpr Pixel paper = {255, 255, 255};
constexpr Pixel ink = {30, 30, 30};
constexpr Pixel diagonal_grey = {225, 225, 225};
constexpr std::int64_t cell = 64;
constexpr std::int64_t margin = 24;
constexpr std::int64_t bar_width = 24;
constexpr int large = 3;  // scales of the font
constexpr int middle = 2;

/// The colour of a share of the scale, from dark blue over green to yellow: equal steps look equally large, also in
/// grey and to the colour-blind. Between these stops colours are mixed.
Pixel colour_of(double share) {
  static constexpr Pixel stops[] = {{68, 1, 84}, {59, 82, 139}, {33, 145, 140}, {94, 201, 98}, {253, 231, 37}};
  constexpr std::size_t intervals = std::size(stops) - 1;
  const double place = std::clamp(share, 0.0, 1.0) * static_cast<double>(intervals);
  const std::size_t left = std::min(static_cast<std::size_t>(place), intervals - 1);
  const double mix = place - static_cast<double>(left);
  Pixel colour{};
  for (std::size_t i = 0; i < colour.size(); ++i) {
    colour[i] = static_cast<std::uint8_t>(std::lround(stops[left][i] * (1 - mix) + stops[left + 1][i] * mix));
  }
  return colour;
}

/// Black on light colours, white on dark ones.
Pixel ink_on(Pixel ground) {
  const double brightness = 0.299 * ground[0] + 0.587 * ground[1] + 0.114 * ground[2];
  return brightness > 140 ? ink : paper;
}

void fill(Picture& picture, std::int64_t x, std::int64_t y, std::int64_t width, std::int64_t height, Pixel colour) {
  for (std::int64_t row = y; row < y + height; ++row) {
    for (std::int64_t column = x; column < x + width; ++column) {
      std::copy(colour.begin(), colour.end(), picture.pixels.begin() + (row * picture.width + column) * 3);
    }
  }
}

void draw_centred(Picture& picture, std::int64_t x, std::int64_t y, const std::string& text, int scale, Pixel colour) {
  draw_text(picture, x - text_width(text, scale) / 2, y - text_height(scale) / 2, text, scale, colour);
}

/// A number in at most five letters, for that is what fits into a cell: "0", "0.42", "8.31", "15683", "2.1e6".
std::string number_text(double value) {
  constexpr std::size_t most_letters = 5;
  if (value >= 100 && value < 99999.5) return fmt::format("{:.0f}", value);
  for (int digits = 3; digits > 1; --digits) {
    std::string text = fmt::format("{:.{}g}", value, digits);
    if (const std::size_t zero = text.find("e+0"); zero != std::string::npos) text.erase(zero + 1, 2);
    if (const std::size_t zero = text.find("e-0"); zero != std::string::npos) text.erase(zero + 2, 1);
    if (text.size() <= most_letters) return text;
  }
  return fmt::format("{:.0e}", value);
}

/// From elements to shares of the colours' scale and back: logarithmic where no element is 0.
class Scale {
 public:
  explicit Scale(const HeatMap& map) {
    const std::size_t size = map.labels.size();
    std::vector<double> shown;
    for (std::size_t i = 0; i < map.values.size(); ++i) {
      if (i / size != i % size || size == 1) shown.push_back(map.values[i]);
    }
    const auto [low, high] = std::minmax_element(shown.begin(), shown.end());
    logarithmic_ = *low > 0;
    low_ = forward(*low);
    high_ = forward(*high);
  }

  [[nodiscard]] double share(double value) const {
    return high_ > low_ ? (forward(value) - low_) / (high_ - low_) : 0.5;
  }
  [[nodiscard]] double value(double share) const {
    const double place = low_ + share * (high_ - low_);
    return logarithmic_ ? std::exp(place) : place;
  }

 private:
  [[nodiscard]] double forward(double value) const { return logarithmic_ ? std::log(value) : value; }

  bool logarithmic_ = false;
  double low_ = 0;
  double high_ = 0;
};

/// Where the parts of the picture are.
struct Layout {
  std::int64_t left;
  std::int64_t top;
  std::int64_t extent;  // of the matrix
  std::int64_t bar_left;
  std::int64_t width;
  std::int64_t height;
};

Layout layout_of(const HeatMap& map) {
  std::int64_t label = text_width(map.row_name, middle);
  for (const std::string& text : map.labels) label = std::max(label, text_width(text, large));
  Layout layout{};
  layout.left = margin + label + margin / 2;
  layout.top = margin + text_height(large) + margin + 2 * (text_height(large) + margin / 2);
  layout.extent = cell * static_cast<std::int64_t>(map.labels.size());
  layout.bar_left = layout.left + layout.extent + margin;
  layout.width = std::max(layout.bar_left + bar_width + margin / 2 + text_width("00000", middle) + margin,
                          2 * margin + text_width(map.title, large));
  layout.height = layout.top + layout.extent + margin;
  return layout;
}

void draw_cells(Picture& picture, const Layout& layout, const HeatMap& map) {
  const Scale scale(map);
  const auto size = static_cast<std::int64_t>(map.labels.size());
  for (std::int64_t place = 0; place < size * size; ++place) {
    const double value = map.values[static_cast<std::size_t>(place)];
    const bool diagonal = place / size == place % size;
    const Pixel ground = diagonal ? diagonal_grey : colour_of(scale.share(value));
    const std::int64_t x = layout.left + place % size * cell;
    const std::int64_t y = layout.top + place / size * cell;
    fill(picture, x, y, cell - 1, cell - 1, ground);
    draw_centred(picture, x + cell / 2, y + cell / 2, number_text(value), middle, ink_on(ground));
  }
}

void draw_scale(Picture& picture, const Layout& layout, const HeatMap& map) {
  const Scale scale(map);
  for (std::int64_t row = 0; row < layout.extent; ++row) {
    const double share = 1 - (static_cast<double>(row) + 0.5) / static_cast<double>(layout.extent);
    fill(picture, layout.bar_left, layout.top + row, bar_width, 1, colour_of(share));
  }
  constexpr int ticks = 4;
  for (int tick = 0; tick <= ticks; ++tick) {
    const double share = static_cast<double>(tick) / ticks;
    const auto height = static_cast<double>(layout.extent - text_height(middle));
    const auto y = layout.top + std::llround((1 - share) * height);
    draw_text(picture, layout.bar_left + bar_width + margin / 2, y, number_text(scale.value(share)), middle, ink);
  }
}

}  // namespace

Picture draw_heat_map(const HeatMap& map) {
  const Layout layout = layout_of(map);
  Picture picture{.width = layout.width,
                  .height = layout.height,
                  .channels = 3,
                  .pixels = std::vector<std::uint8_t>(static_cast<std::size_t>(layout.width * layout.height * 3), 255)};
  draw_text(picture, margin, margin, map.title, large, ink);
  const std::int64_t labels_y = layout.top - margin / 2 - text_height(large) / 2;
  const std::int64_t names_y = labels_y - text_height(large) - margin / 2;
  draw_centred(picture, layout.left + layout.extent / 2, names_y, map.column_name, middle, ink);
  draw_text(picture, margin, labels_y - text_height(middle) / 2, map.row_name, middle, ink);
  for (std::size_t i = 0; i < map.labels.size(); ++i) {
    const std::int64_t middle_of_cell = static_cast<std::int64_t>(i) * cell + cell / 2;
    draw_centred(picture, layout.left + middle_of_cell, labels_y, map.labels[i], large, ink);
    const std::int64_t x = layout.left - margin / 2 - text_width(map.labels[i], large);
    draw_text(picture, x, layout.top + middle_of_cell - text_height(large) / 2, map.labels[i], large, ink);
  }
  draw_cells(picture, layout, map);
  draw_scale(picture, layout, map);
  return picture;
}

}  // namespace touchstone::report
