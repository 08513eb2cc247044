// SPDX-License-Identifier: Apache-2.0
//
// Picks a mini-batch out of a data set of uint8 images and normalises its pixels, each by one multiply-add: with no
// instruction for that it is left to the library, whose result is rounded once as well.
#include "touchstone/gather.h"

#include <algorithm>
#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/cpu/gather.cpp"
#include <hwy/cache_control.h>
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "host/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace touchstone::cpu {
namespace HWY_NAMESPACE {
namespace {

/// How many images before its own turn an image is asked for: a group of samples at once.
constexpr std::int64_t images_ahead = 8;

/// Asks for an image that is going to be read: which one it is, no hardware could foresee.
HWY_INLINE void prefetch_image(const std::uint8_t* pixels, std::int64_t count) {
  constexpr std::int64_t line_bytes = 64;
  for (std::int64_t i = 0; i < count; i += line_bytes) {
    hwy::Prefetch(pixels + i);
  }
}

/// to[i] = scale.value(pixels[i]).
HWY_INLINE void normalise(const std::uint8_t* pixels, std::int64_t count, const PixelScale& scale, float* to) {
  std::int64_t i = 0;
#if HWY_NATIVE_FMA
  const Floats d;
  const Integers di;
  const hn::Rebind<std::uint8_t, Floats> d8;
  const std::int64_t lanes = float_lanes();
  const FloatVector factor = hn::Set(d, scale.scale);
  const FloatVector shift = hn::Set(d, scale.shift);
  for (; i + lanes <= count; i += lanes) {
    const FloatVector values = hn::ConvertTo(d, hn::PromoteTo(di, hn::LoadU(d8, pixels + i)));
    hn::StoreU(hn::MulAdd(factor, values, shift), d, to + i);
  }
#endif
  for (; i < count; ++i) {
    to[i] = scale.value(pixels[i]);
  }
}

void gather_images(const GatherShape& shape, const std::uint8_t* pixels, const std::uint32_t* indices,
                   const PixelScale& scale, float* images) {
  const auto image = [&](std::int64_t b) { return pixels + std::int64_t{indices[b]} * shape.image_size; };
  for (std::int64_t b = 0; b < std::min(images_ahead, shape.batch); ++b) {
    prefetch_image(image(b), shape.image_size);
  }
  for (std::int64_t b = 0; b < shape.batch; ++b) {
    if (b + images_ahead < shape.batch) {
      prefetch_image(image(b + images_ahead), shape.image_size);
    }
    normalise(image(b), shape.image_size, scale, images + b * shape.image_size);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace touchstone::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace touchstone::cpu {

namespace {
HWY_EXPORT(gather_images);
}  // namespace

void gather(const GatherShape& shape, const std::uint8_t* pixels, const std::uint8_t* labels,
            const std::uint32_t* indices, const PixelScale& scale, float* images, std::uint8_t* batch_labels) {
  HWY_DYNAMIC_DISPATCH(gather_images)(shape, pixels, indices, scale, images);
  std::transform(indices, indices + shape.batch, batch_labels, [labels](std::uint32_t index) { return labels[index]; });
}

}  // namespace touchstone::cpu

#endif  // HWY_ONCE
