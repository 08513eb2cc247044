// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "touchstone/dataset.h"

namespace touchstone {

/// A picture as a file holds it: 8 bits a channel, [height,width,channels] order, 1 (grey) or 3 (RGB) channels.
/// Transparency is blended onto white when it is read; 16-bit samples are reduced to 8.
struct Picture {
  std::int64_t width = 0;
  std::int64_t height = 0;
  std::int64_t channels = 1;
  std::vector<std::uint8_t> pixels;
};

/// Reads a PNG (any colour type) or PGM (P2 or P5) file, told apart by content. Throws Error naming the file.
Picture load_picture(const std::filesystem::path& file);

/// Turns a picture into one image of `shape` as the training data show it: to grey or RGB by shape.channels (Rec. 601
/// luma), inverted where the background (the border's median) is light, resized by area averaging (bilinear when
/// enlarging) to fit height and width keeping its proportions, centred on a background-coloured canvas.
/// The result holds shape.count() pixels in [C,H,W] order.
std::vector<std::uint8_t> fit_picture(const Picture& picture, const ImageShape& shape);

}  // namespace touchstone
