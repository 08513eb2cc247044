// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <cstdint>

namespace touchstone {

/// How a pixel becomes the network's input (Normalisation::pixel_scale()): scale * pixel + shift, rounded once, so that
/// every device gives the very same float32.
struct PixelScale {
  float scale = 1;
  float shift = 0;

  [[nodiscard]] float value(std::uint8_t pixel) const { return std::fma(scale, static_cast<float>(pixel), shift); }
};

/// A mini-batch picked out of a data set of uint8 images: `batch` images of `image_size` = C*H*W pixels.
struct GatherShape {
  std::int64_t batch = 1;
  std::int64_t image_size = 1;

  bool operator==(const GatherShape&) const = default;
};

namespace reference {

/// images[b,i] = scale.value(pixels[indices[b]*image_size + i]) and batch_labels[b] = labels[indices[b]].
/// pixels [count,image_size], labels [count], indices [batch] (each below count), images [batch,image_size].
void gather(const GatherShape& shape, const std::uint8_t* pixels, const std::uint8_t* labels,
            const std::uint32_t* indices, const PixelScale& scale, double* images, std::uint8_t* batch_labels);

}  // namespace reference

namespace cpu {

/// As reference::gather in float32: the very same values.
void gather(const GatherShape& shape, const std::uint8_t* pixels, const std::uint8_t* labels,
            const std::uint32_t* indices, const PixelScale& scale, float* images, std::uint8_t* batch_labels);

}  // namespace cpu
}  // namespace touchstone
