// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "touchstone/image.h"

namespace touchstone::report {

/// Red, green, blue.
using Pixel = std::array<std::uint8_t, 3>;

/// The columns that `text` takes when each of the font's pixels is `scale` wide.
std::int64_t text_width(std::string_view text, int scale);
/// The rows of a line of text.
std::int64_t text_height(int scale);

/// Writes into a picture of three channels with the upper left corner at (x, y); what lies outside is cut off. A letter
/// that the font lacks is blank.
void draw_text(Picture& picture, std::int64_t x, std::int64_t y, std::string_view text, int scale, Pixel colour);

}  // namespace touchstone::report
