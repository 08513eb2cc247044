// SPDX-License-Identifier: Apache-2.0
#include "host/data/image_slice.h"

#include <memory>

namespace touchstone {

SharedImageSet image_slice(const ImageSet& all, std::int64_t begin, std::int64_t count) {
  const auto labels = all.labels.begin() + begin;
  return std::make_shared<ImageSet>(ImageSet{.count = count,
                                             .shape = all.shape,
                                             .pixels = PixelBuffer(all.image(begin), all.image(begin + count)),
                                             .labels = {labels, labels + count}});
}

}  // namespace touchstone
