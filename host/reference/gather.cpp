// SPDX-License-Identifier: Apache-2.0
//
// Picks a mini-batch out of a data set of uint8 images and normalises it:
//
//   images[b,i]     = table[pixels[indices[b] * image_size + i]],  0 <= b < batch, 0 <= i < image_size
//   batch_labels[b] = labels[indices[b]]
//
// A pixel takes one of 256 values, so normalisation is a look-up of a float32 that was rounded once: every device gives
// the very same values. An index may occur several times.
#include "touchstone/gather.h"

#include <algorithm>
#include <cstdint>

namespace touchstone::reference {

void gather(const GatherShape& shape, const std::uint8_t* pixels, const std::uint8_t* labels,
            const std::uint32_t* indices, const PixelTable& table, double* images, std::uint8_t* batch_labels) {
  for (std::int64_t b = 0; b < shape.batch; ++b) {
    const std::uint8_t* image = pixels + indices[b] * shape.image_size;
    std::transform(image, image + shape.image_size, images + b * shape.image_size,
                   [&table](std::uint8_t pixel) { return double{table[pixel]}; });
    batch_labels[b] = labels[indices[b]];
  }
}

}  // namespace touchstone::reference
