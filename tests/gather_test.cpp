// SPDX-License-Identifier: Apache-2.0
#include "touchstone/gather.h"

#include <cstdint>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/reference_values.h"

namespace touchstone {
namespace {

using ::testing::ElementsAre;
using testing::poison;

/// Products with most pixel values need to be rounded.
constexpr PixelScale scale{.scale = 1.0F / 3, .shift = -100.0F / 3};

TEST(GatherReference, PicksImagesAndLabelsInTheOrderOfTheIndices) {
  // Three images of two pixels; the last and the first are asked for, and the last again.
  const std::vector<std::uint8_t> pixels{0, 1, 100, 103, 254, 255};
  const std::vector<std::uint8_t> labels{7, 8, 9};
  const std::vector<std::uint32_t> indices{2, 0, 2};
  std::vector<double> images = poison(6);
  std::vector<std::uint8_t> batch_labels(3, 0xFF);
  reference::gather({.batch = 3, .image_size = 2}, pixels.data(), labels.data(), indices.data(), scale, images.data(),
                    batch_labels.data());
  EXPECT_THAT(images, ElementsAre(scale.value(254), scale.value(255), scale.value(0), scale.value(1), scale.value(254),
                                  scale.value(255)));
  EXPECT_THAT(batch_labels, ElementsAre(9, 7, 9));
}

TEST(GatherReference, EveryPixelValueIsRoundedOnce) {
  std::vector<std::uint8_t> pixels;
  for (int value = 0; value < 256; ++value) {
    pixels.push_back(static_cast<std::uint8_t>(value));
  }
  const std::uint8_t label = 3;
  const std::uint32_t index = 0;
  std::vector<double> images = poison(256);
  std::uint8_t batch_label = 0;
  reference::gather({.batch = 1, .image_size = 256}, pixels.data(), &label, &index, scale, images.data(), &batch_label);
  for (std::size_t value = 0; value < 256; ++value) {
    const double exact = double{scale.scale} * static_cast<double>(value) + double{scale.shift};  // in 53 bits
    EXPECT_EQ(images[value], static_cast<double>(static_cast<float>(exact))) << "pixel value " << value;
  }
  EXPECT_EQ(batch_label, 3);
}

TEST(GatherReference, AnEmptyBatchWritesNothing) {
  double image = 42;
  std::uint8_t label = 42;
  reference::gather({.batch = 0, .image_size = 4}, nullptr, nullptr, nullptr, scale, &image, &label);
  EXPECT_EQ(image, 42);
  EXPECT_EQ(label, 42);
}

}  // namespace
}  // namespace touchstone
