// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

namespace touchstone {

/// The float32 value of each of the 256 pixel values after normalisation (Normalisation::table()).
using PixelTable = std::array<float, 256>;

/// A mini-batch picked out of a data set of uint8 images: `batch` images of `image_size` = C*H*W pixels.
struct GatherShape {
  std::int64_t batch = 1;
  std::int64_t image_size = 1;

  bool operator==(const GatherShape&) const = default;
};

namespace reference {

/// images[b,i] = table[pixels[indices[b]*image_size + i]] and batch_labels[b] = labels[indices[b]].
/// pixels [count,image_size], labels [count], indices [batch] (each below count), images [batch,image_size].
void gather(const GatherShape& shape, const std::uint8_t* pixels, const std::uint8_t* labels,
            const std::uint32_t* indices, const PixelTable& table, double* images, std::uint8_t* batch_labels);

}  // namespace reference

namespace cpu {

/// As reference::gather in float32: the very same values.
void gather(const GatherShape& shape, const std::uint8_t* pixels, const std::uint8_t* labels,
            const std::uint32_t* indices, const PixelTable& table, float* images, std::uint8_t* batch_labels);

}  // namespace cpu
}  // namespace touchstone
