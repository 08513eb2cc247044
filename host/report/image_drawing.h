// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "host/report/terminal.h"
#include "touchstone/dataset.h"

namespace touchstone::report {

/// Draws an image of [C,H,W] pixels (1 channel: grey; 3: colour; otherwise their mean) with characters, at most
/// `columns` wide, two rows of pixels a line: half blocks in 24 shades of grey (or the colour cube) on a terminal with
/// colours and Unicode, blocks of five shades where there are no colours, letters where there is no Unicode.
/// Larger images are reduced by area averaging. All lines take equally many columns.
std::vector<std::string> draw_image(const std::uint8_t* pixels, const ImageShape& shape, int columns,
                                    const TerminalTraits& traits);

/// The columns that draw_image needs for images of this shape when it may take `columns`.
int drawn_width(const ImageShape& shape, int columns);

/// Puts drawings side by side, two blanks between them, each with its caption below; as many to a row as `width`
/// allows.
std::string arrange_drawings(const std::vector<std::vector<std::string>>& drawings,
                             const std::vector<std::string>& captions, int width);

}  // namespace touchstone::report
