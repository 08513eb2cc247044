// SPDX-License-Identifier: Apache-2.0
//
// Picks a mini-batch out of a data set of uint8 images and looks each pixel's normalised value up. A table of 1 KiB
// stays in the first-level cache: two loads and a store a pixel, which vector gathers do not beat.
#include "touchstone/gather.h"

#include <cstdint>

namespace touchstone::cpu {

void gather(const GatherShape& shape, const std::uint8_t* pixels, const std::uint8_t* labels,
            const std::uint32_t* indices, const PixelTable& table, float* images, std::uint8_t* batch_labels) {
  const float* values = table.data();
  for (std::int64_t b = 0; b < shape.batch; ++b) {
    const std::int64_t index = indices[b];
    const std::uint8_t* from = pixels + index * shape.image_size;
    float* to = images + b * shape.image_size;
    for (std::int64_t i = 0; i < shape.image_size; ++i) {
      to[i] = values[from[i]];
    }
    batch_labels[b] = labels[index];
  }
}

}  // namespace touchstone::cpu
