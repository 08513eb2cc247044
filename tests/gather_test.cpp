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

/// Distinct for each pixel value, and some of them no exact decimals.
PixelTable table() {
  PixelTable values{};
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = (static_cast<float>(i) - 100.0F) / 3.0F;
  }
  return values;
}

TEST(GatherReference, PicksImagesAndLabelsInTheOrderOfTheIndices) {
  // Three images of two pixels; the last and the first are asked for, and the last again.
  const std::vector<std::uint8_t> pixels{0, 1, 100, 103, 254, 255};
  const std::vector<std::uint8_t> labels{7, 8, 9};
  const std::vector<std::uint32_t> indices{2, 0, 2};
  const PixelTable values = table();
  std::vector<double> images = poison(6);
  std::vector<std::uint8_t> batch_labels(3, 0xFF);
  reference::gather({.batch = 3, .image_size = 2}, pixels.data(), labels.data(), indices.data(), values, images.data(),
                    batch_labels.data());
  EXPECT_THAT(images, ElementsAre(values[254], values[255], values[0], values[1], values[254], values[255]));
  EXPECT_THAT(batch_labels, ElementsAre(9, 7, 9));
}

TEST(GatherReference, EveryPixelValueKeepsTheTablesFloat) {
  std::vector<std::uint8_t> pixels;
  for (int value = 0; value < 256; ++value) {
    pixels.push_back(static_cast<std::uint8_t>(value));
  }
  const std::uint8_t label = 3;
  const std::uint32_t index = 0;
  const PixelTable values = table();
  std::vector<double> images = poison(256);
  std::uint8_t batch_label = 0;
  reference::gather({.batch = 1, .image_size = 256}, pixels.data(), &label, &index, values, images.data(),
                    &batch_label);
  for (std::size_t value = 0; value < 256; ++value) {
    EXPECT_EQ(images[value], static_cast<double>(values[value])) << "pixel value " << value;
  }
  EXPECT_EQ(batch_label, 3);
}

TEST(GatherReference, AnEmptyBatchWritesNothing) {
  double image = 42;
  std::uint8_t label = 42;
  reference::gather({.batch = 0, .image_size = 4}, nullptr, nullptr, nullptr, table(), &image, &label);
  EXPECT_EQ(image, 42);
  EXPECT_EQ(label, 42);
}

}  // namespace
}  // namespace touchstone
