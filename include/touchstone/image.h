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

/// Turns a picture into one image of `shape`, as training data show it: shape.count() pixels in [C,H,W] order.
///
/// One channel: the picture is made grey (Rec. 601 luma) and inverted where its background, the median of its border,
/// is light. A picture that has the size already is then left as it is. Any other is taken to show one figure, a photo
/// of a digit on paper or a drawing, and is brought to where MNIST has its digits: levels stretched so that the
/// background is 0 and the figure's brightest spot 255, cropped to the figure, scaled to fit into 20/28 of height and
/// width keeping its proportions, and placed with its centre of mass in the middle. Where nothing stands out from the
/// background, the whole picture is fitted as with three channels.
///
/// Three channels (a grey picture gives each the same): the whole picture scaled to fit height and width keeping its
/// proportions, in the middle of a canvas of the background's colour. Nothing is inverted: what is natural to a
/// photograph is left to it.
///
/// Scaling is by area averaging where it shrinks and bilinear where it enlarges. Throws Error for any other number of
/// channels.
std::vector<std::uint8_t> fit_picture(const Picture& picture, const ImageShape& shape);

}  // namespace touchstone
