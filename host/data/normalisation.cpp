// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "touchstone/dataset.h"
#include "touchstone/pixel_buffer.h"

namespace touchstone {
namespace {

constexpr std::size_t pixel_values = 256;
using Histogram = std::array<std::uint64_t, pixel_values>;

// How often each pixel value comes. Neighbouring pixels are often equal, and counting one value twice in a row waits
// for the first count to be written, so neighbours count in tables of their own.
Histogram histogram_of(const PixelBuffer& pixels) {
  constexpr std::size_t tables = 8;
  std::array<Histogram, tables> partial = {};
  const std::uint8_t* pixel = pixels.begin();
  for (; pixels.end() - pixel >= static_cast<std::ptrdiff_t>(tables); pixel += tables)
    for (std::size_t t = 0; t < tables; ++t) ++partial[t][pixel[t]];
  for (; pixel != pixels.end(); ++pixel) ++partial[0][*pixel];

  Histogram total = {};
  for (const Histogram& table : partial)
    for (std::size_t value = 0; value < pixel_values; ++value) total[value] += table[value];
  return total;
}

double parse(std::string_view text) {
  double value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// The decimal places that a number in scientific notation with three decimals ("3.081e-01") has when written out.
int decimal_places(std::string_view scientific) {
  int exponent = 0;
  const std::string_view digits = scientific.substr(scientific.find('e') + 1);
  const std::size_t sign = digits.front() == '+' ? 1 : 0;  // from_chars takes no plus
  std::from_chars(digits.data() + sign, digits.data() + digits.size(), exponent);
  return 3 - exponent;
}

}  // namespace

PixelScale Normalisation::pixel_scale() const {
  return {.scale = static_cast<float>(1.0 / (255.0 * std)), .shift = static_cast<float>(-mean / std)};
}

std::uint8_t Normalisation::pixel(double value) const {
  const double pixel = std::round((value * std + mean) * 255.0);
  return pixel > 0 ? static_cast<std::uint8_t>(std::min(pixel, 255.0)) : std::uint8_t{0};
}

Normalisation compute_normalisation(const ImageSet& images) {
  if (images.pixels.empty()) return {};
  const Histogram histogram = histogram_of(images.pixels);
  const auto count = static_cast<double>(images.pixels.size());
  std::uint64_t sum = 0;
  for (std::size_t value = 0; value < pixel_values; ++value) sum += value * histogram[value];
  const double mean = static_cast<double>(sum) / count;
  double squares = 0;
  for (std::size_t value = 0; value < pixel_values; ++value) {
    const double distance = static_cast<double>(value) - mean;
    squares += static_cast<double>(histogram[value]) * distance * distance;
  }
  const bool all_equal = *std::max_element(histogram.begin(), histogram.end()) == images.pixels.size();
  const std::string std_text = fmt::format("{:.3e}", all_equal ? 1.0 : std::sqrt(squares / count) / 255.0);
  return {parse(fmt::format("{:.{}f}", mean / 255.0, decimal_places(std_text))), parse(std_text)};
}

}  // namespace touchstone
