// SPDX-License-Identifier: Apache-2.0
#include "host/report/image_pairs.h"

#include <cstddef>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/error_message.h"

namespace touchstone::report {
namespace {

using ::testing::HasSubstr;

std::uint8_t pixel(const Picture& picture, std::int64_t x, std::int64_t y, std::int64_t channel = 0) {
  return picture.pixels[static_cast<std::size_t>((y * picture.width + x) * picture.channels + channel)];
}

/// Images of 16 x 32 pixels, which are enlarged twice: 32 x 64, 4 apart, and 12 around all.
TEST(ImagePairs, StandAboveEachOther) {
  const ImageShape shape = {1, 16, 32};
  std::vector<std::uint8_t> upper(11 * 16 * 32, 10);
  std::vector<std::uint8_t> lower(upper.size(), 20);
  upper[1] = 11;            // pair 0, row 0, column 1
  lower.back() = 21;        // pair 10, the last pixel
  lower[16 * 32 * 9] = 22;  // pair 9, the first pixel
  const Picture picture = draw_image_pairs(shape, upper, lower);
  EXPECT_EQ(picture.channels, 1);
  EXPECT_EQ(picture.width, 12 + 10 * 64 + 9 * 4 + 12);
  EXPECT_EQ(picture.height, 12 + 2 * (32 + 4 + 32 + 12));
  EXPECT_EQ(picture.pixels.size(), static_cast<std::size_t>(picture.width * picture.height));
  EXPECT_EQ(pixel(picture, 11, 12), 255);
  EXPECT_EQ(pixel(picture, 13, 13), 10);
  for (const std::int64_t x : {14, 15}) {
    for (const std::int64_t y : {12, 13}) EXPECT_EQ(pixel(picture, x, y), 11);
  }
  EXPECT_EQ(pixel(picture, 16, 13), 10);
  EXPECT_EQ(pixel(picture, 12, 12 + 32), 255);      // between the images of a pair
  EXPECT_EQ(pixel(picture, 12, 12 + 36), 20);       // the lower image of pair 0
  EXPECT_EQ(pixel(picture, 12 + 64, 12), 255);      // between pairs
  EXPECT_EQ(pixel(picture, 12 + 9 * 68, 48), 22);   // pair 9
  EXPECT_EQ(pixel(picture, 12, 12 + 80), 10);       // pair 10 begins the second row
  EXPECT_EQ(pixel(picture, 75, 12 + 80 + 67), 21);  // and ends here
  EXPECT_EQ(pixel(picture, 80, 12 + 80), 255);      // no pair 11
}

TEST(ImagePairs, KeepColours) {
  const std::vector<std::uint8_t> image = {1, 2, 3};
  const Picture picture = draw_image_pairs({3, 1, 1}, image, {4, 5, 6});
  EXPECT_EQ(picture.channels, 3);
  for (std::int64_t channel = 0; channel < 3; ++channel) {
    EXPECT_EQ(pixel(picture, 12, 12, channel), 1 + channel);
    EXPECT_EQ(pixel(picture, 12, 12 + 64 + 4, channel), 4 + channel);
  }
}

TEST(ImagePairs, LargeImagesAreLeftAsTheyAre) {
  const std::vector<std::uint8_t> image(100 * 70, 9);
  const Picture picture = draw_image_pairs({1, 100, 70}, image, image);
  EXPECT_EQ(picture.width, 70 + 24);
  EXPECT_EQ(picture.height, 2 * 100 + 4 + 24);
}

TEST(ImagePairs, RefuseOtherNumbersOfChannels) {
  EXPECT_THAT(test::error_message([] { draw_image_pairs({2, 1, 1}, {1, 2}, {1, 2}); }), HasSubstr("of 2 channels"));
}

}  // namespace
}  // namespace touchstone::report
