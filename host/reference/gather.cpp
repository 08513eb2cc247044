// SPDX-License-Identifier: Apache-2.0
//
// Picks a mini-batch out of a data set of uint8 images and normalises it:
//
//   images[b,i]     = scale * pixels[indices[b] * image_size + i] + shift,  0 <= b < batch, 0 <= i < image_size
//   batch_labels[b] = labels[indices[b]]
//
// The value is rounded once, to float32: every device gives the very same. An index may occur several times.
#include "touchstone/gather.h"

#include <algorithm>
#include <cstdint>

namespace touchstone::reference {

void gather(const GatherShape& shape, const std::uint8_t* pixels, const std::uint8_t* labels,
            const std::uint32_t* indices, const PixelScale& scale, double* images, std::uint8_t* batch_labels) {
  for (std::int64_t b = 0; b < shape.batch; ++b) {
    const std::uint8_t* image = pixels + indices[b] * shape.image_size;
    std::transform(image, image + shape.image_size, images + b * shape.image_size,
                   [&scale](std::uint8_t pixel) { return double{scale.value(pixel)}; });
    batch_labels[b] = labels[indices[b]];
  }
}

}  // namespace touchstone::reference
