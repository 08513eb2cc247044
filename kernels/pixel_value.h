// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/backend.h"
#include "touchstone/gather.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// PixelScale::value().
[[nodiscard]] __device__ __forceinline__ float pixel_value(const PixelScale& scale, std::uint8_t pixel) {
  return fmaf(scale.scale, static_cast<float>(pixel), scale.shift);
}

/// Of four neighbouring pixels.
[[nodiscard]] __device__ __forceinline__ float4 pixel_values(const PixelScale& scale, const uchar4& pixels) {
  return make_float4(pixel_value(scale, pixels.x), pixel_value(scale, pixels.y), pixel_value(scale, pixels.z),
                     pixel_value(scale, pixels.w));
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
