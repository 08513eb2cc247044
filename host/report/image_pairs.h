// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "touchstone/image.h"

namespace touchstone::report {

/// A picture of pairs of images, the upper one of each right above the lower one: ten pairs a row, narrow gaps, on
/// white. `upper` and `lower` are [pairs,C,H,W] with one channel (grey) or three (RGB), at least one pair. Small images
/// are enlarged by a whole factor, each pixel to a square. Throws Error for any other number of channels.
Picture draw_image_pairs(const ImageShape& shape, const std::vector<std::uint8_t>& upper,
                         const std::vector<std::uint8_t>& lower);

}  // namespace touchstone::report
