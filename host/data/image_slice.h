// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "touchstone/dataset.h"

namespace touchstone {

/// A copy of the images begin, ... begin + count - 1 of a set, which has as many, with their labels.
SharedImageSet image_slice(const ImageSet& all, std::int64_t begin, std::int64_t count);

}  // namespace touchstone
