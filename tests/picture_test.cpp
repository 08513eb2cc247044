// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/error_message.h"
#include "tests/picture_bytes.h"
#include "tests/temporary_directory.h"
#include "touchstone/dataset.h"
#include "touchstone/image.h"

namespace touchstone {
namespace {

using test::error_message;
using test::in_quotes;
using test::png;
using test::png_chunk;
using test::PngColour;
using testing::HasSubstr;
using testing::StartsWith;

using Bytes = std::vector<std::uint8_t>;
using namespace std::string_view_literals;

class LoadPicture : public testing::Test {
 protected:
  Picture load(std::string_view contents) { return load_picture(directory_.write("picture", contents)); }

  std::string error_on(std::string_view contents) {
    const std::filesystem::path file = directory_.write("picture", contents);
    std::string message = error_message([&] { load_picture(file); });
    EXPECT_THAT(message, StartsWith(in_quotes(file) + ": "));
    return message;
  }

  void expect(std::string_view contents, std::int64_t width, std::int64_t height, std::int64_t channels,
              const Bytes& pixels) {
    const Picture picture = load(contents);
    EXPECT_EQ(picture.width, width);
    EXPECT_EQ(picture.height, height);
    EXPECT_EQ(picture.channels, channels);
    EXPECT_EQ(picture.pixels, pixels);
  }

  test::TemporaryDirectory directory_;
};

TEST_F(LoadPicture, GreyPng) {
  expect(png({3, 2}, "\0\x00\x01\x7F\0\x80\xFE\xFF"sv), 3, 2, 1, {0, 1, 127, 128, 254, 255});
}

TEST_F(LoadPicture, EveryGreyOfAPngStaysAsItIs) {
  std::string row(1, '\0');
  Bytes greys;
  for (int grey = 0; grey < 256; ++grey) {
    row.push_back(static_cast<char>(grey));
    greys.push_back(static_cast<std::uint8_t>(grey));
  }
  expect(png({256, 1}, row), 256, 1, 1, greys);
}

TEST_F(LoadPicture, PngWithFilteredRows) {
  expect(png({2, 2}, "\x01\x0A\x05\x02\x01\x02"sv), 2, 2, 1, {10, 15, 11, 17});
}

TEST_F(LoadPicture, BlackAndWhitePng) {
  expect(png({10, 1, 1}, "\0\xA0\x40"sv), 10, 1, 1, {255, 0, 255, 0, 0, 0, 0, 0, 0, 255});
}

TEST_F(LoadPicture, RgbPng) {
  expect(png({2, 1, 8, PngColour::rgb}, "\0\x01\x02\x03\xFD\xFE\xFF"sv), 2, 1, 3, {1, 2, 3, 253, 254, 255});
}

TEST_F(LoadPicture, PalettePng) {
  const std::string palette = png_chunk("PLTE", "\x0A\x14\x1E\x28\x32\x3C"sv);
  expect(png({3, 1, 8, PngColour::palette}, "\0\x01\x00\x01"sv, palette), 3, 1, 3,
         {40, 50, 60, 10, 20, 30, 40, 50, 60});
}

TEST_F(LoadPicture, PaletteWithTransparencyPng) {
  const std::string chunks = png_chunk("PLTE", "\x0A\x14\x1E\x28\x32\x3C"sv) + png_chunk("tRNS", "\0"sv);
  expect(png({2, 1, 8, PngColour::palette}, "\0\x00\x01"sv, chunks), 2, 1, 3, {255, 255, 255, 40, 50, 60});
}

TEST_F(LoadPicture, TransparencyIsBlendedOntoWhite) {
  expect(png({2, 1, 8, PngColour::grey_alpha}, "\0\x64\x00\x64\xFF"sv), 2, 1, 1, {255, 100});
  expect(png({2, 1, 8, PngColour::rgb_alpha}, "\0\x01\x02\x03\x00\x01\x02\x03\xFF"sv), 2, 1, 3,
         {255, 255, 255, 1, 2, 3});
  const Picture half = load(png({1, 1, 8, PngColour::grey_alpha}, "\0\x00\x80"sv));
  EXPECT_GT(half.pixels[0], 100);
  EXPECT_LT(half.pixels[0], 200);
}

TEST_F(LoadPicture, SixteenBitPngIsReducedNotTakenAsLinear) {
  expect(png({3, 1, 16}, "\0\x00\x00\x80\x80\xFF\xFF"sv), 3, 1, 1, {0, 128, 255});
  expect(png({1, 1, 16, PngColour::rgb}, "\0\x10\x10\x40\x40\xA0\xA0"sv), 1, 1, 3, {16, 64, 160});
}

// Adam7 on 2x2 pixels: the first alone, then its right neighbour, then the second row.
TEST_F(LoadPicture, InterlacedPng) {
  expect(png({2, 2, 8, PngColour::grey, true}, "\0\x0A\0\x14\0\x1E\x28"sv), 2, 2, 1, {10, 20, 30, 40});
}

TEST_F(LoadPicture, TruncatedPngAtEveryByte) {
  const std::string whole = png({16, 16}, std::string(std::size_t{16} * 17, '\0'));
  const std::size_t end_chunk = 12;  // all pixels are there without it
  for (std::size_t length = 8; length < whole.size() - end_chunk; ++length)
    EXPECT_THAT(error_on(whole.substr(0, length)), HasSubstr("truncated or corrupt PNG")) << length;
}

TEST_F(LoadPicture, CorruptPng) {
  std::string bad_checksum = png({2, 1}, "\0\x01\x02"sv);
  bad_checksum[bad_checksum.size() - 12 - 1] ^= 1;
  EXPECT_THAT(error_on(bad_checksum), HasSubstr("truncated or corrupt PNG: "));
  EXPECT_THAT(error_on(png({2, 2}, "\0\x01\x02"sv)), HasSubstr("truncated or corrupt PNG: "));
  EXPECT_THAT(error_on(png({0, 1}, "\0"sv)), HasSubstr("truncated or corrupt PNG: "));
  EXPECT_THAT(error_on(png({1, 1, 7}, "\0\x01"sv)), HasSubstr("truncated or corrupt PNG: "));
}

TEST_F(LoadPicture, HugePictures) {
  EXPECT_THAT(error_on(png({16385, 1}, "\0"sv)), HasSubstr("size 16385x1: expected sides of at most 16384"));
  EXPECT_THAT(error_on(png({10000, 10000}, "\0"sv)),
              HasSubstr("size 10000x10000: expected sides of at most 16384 and at most 67108864 pixels"));
  EXPECT_THAT(error_on("P5 99999999 99999999 255\n"), HasSubstr("size 99999999x99999999: expected sides"));
  EXPECT_THAT(error_on("P5 1 4294967297 255\n"), HasSubstr("height of the PGM: the number is too large"));
}

TEST_F(LoadPicture, BinaryPgm) {
  expect("P5\n3 2\n255\n\x00\x01\x02\xFD\xFE\xFF"sv, 3, 2, 1, {0, 1, 2, 253, 254, 255});
  expect("P5 1 2 255 \n\t"sv, 1, 2, 1, {10, 9});  // white space can be a sample
}

TEST_F(LoadPicture, DecimalPgm) { expect("P2\n2 2 255\n0 10\n200\t255", 2, 2, 1, {0, 10, 200, 255}); }

TEST_F(LoadPicture, CommentsInPgm) {
  expect("P2# a # b\n#c\n2#d\r\n1 # 7\n255\n#e\n 8 # f\n9", 2, 1, 1, {8, 9});
  expect("P5\n# made by hand\n2 1\n#\n255\n##"sv, 2, 1, 1, {35, 35});
}

TEST_F(LoadPicture, PgmOfOtherLargestValues) {
  expect("P2 4 1 3 0 1 2 3", 4, 1, 1, {0, 85, 170, 255});
  expect("P2 2 1 1 0 1", 2, 1, 1, {0, 255});
  expect("P2 3 1 65535 0 32768 65535", 3, 1, 1, {0, 128, 255});
  expect("P5 3 1 65535 \x00\x00\x80\x00\xFF\xFF"sv, 3, 1, 1, {0, 128, 255});
  expect("P5 2 1 256 \x01\x00\x00\x80"sv, 2, 1, 1, {255, 128});
}

TEST_F(LoadPicture, BrokenPgm) {
  EXPECT_THAT(error_on("P5 2 2 255\n\x01\x02\x03"), HasSubstr("samples of the PGM: expected 4 bytes, got 3"));
  EXPECT_THAT(error_on("P5 9 9 255\n\x01"), HasSubstr("samples of the PGM: expected 81, got 2 bytes"));
  EXPECT_THAT(error_on("P5 2 1 256\n\x01\x02\x03"), HasSubstr("samples of the PGM: expected 4 bytes, got 3"));
  EXPECT_THAT(error_on("P2 2 2 255\n1 2 3"), HasSubstr("a sample of the PGM: the file is truncated"));
  EXPECT_THAT(error_on("P2 2 2"), HasSubstr("largest value of the PGM: the file is truncated"));
  EXPECT_THAT(error_on("P2 # 2 2 255 0 0 0 0"), HasSubstr("width of the PGM: the file is truncated"));
  EXPECT_THAT(error_on("P2 2 1 9 3 10"), HasSubstr("a sample of the PGM: expected at most 9, got 10"));
  EXPECT_THAT(error_on("P2 2 1 9 3 -1"), HasSubstr("a sample of the PGM: expected a number, got byte 0x2D"));
  EXPECT_THAT(error_on("P2 2 1 0 0 0"), HasSubstr("largest value of the PGM: expected 1 to 65535, got 0"));
  EXPECT_THAT(error_on("P2 2 1 65536 0 0"), HasSubstr("largest value of the PGM: expected 1 to 65535, got 65536"));
  EXPECT_THAT(error_on("P2 0 1 255 "), HasSubstr("size 0x1: expected at least 1x1"));
  EXPECT_THAT(error_on("P5 1 1 255#\n0"), HasSubstr("header of the PGM: expected white space before the samples"));
}

TEST_F(LoadPicture, OtherFiles) {
  EXPECT_THAT(error_on(""), HasSubstr("the file is empty"));
  for (const std::string_view contents : {"P", "P6 1 1 255 abc", "P55", "\xFF\xD8\xFF\xE0", "GIF89a", "\x89PNG"})
    EXPECT_THAT(error_on(contents), HasSubstr("expected a PNG or PGM (P2 or P5) picture, got neither")) << contents;
  EXPECT_THAT(error_message([&] { load_picture(directory_ / "absent"); }), HasSubstr("no such file"));
  EXPECT_THAT(error_message([&] { load_picture(directory_.path()); }), HasSubstr("got a directory"));
}

Picture grey_picture(std::int64_t width, std::int64_t height, Bytes pixels) {
  return {width, height, 1, std::move(pixels)};
}

Bytes inverted(Bytes pixels) {
  for (std::uint8_t& pixel : pixels) pixel = static_cast<std::uint8_t>(255 - pixel);
  return pixels;
}

constexpr ImageShape mnist_shape = {1, 28, 28};

TEST(FitPicture, APictureOfTheRightSizeIsLeftAsItIs) {
  Bytes pixels(std::size_t{28} * 30, 0);
  for (std::size_t i = 100; i < 700; ++i) pixels[i] = static_cast<std::uint8_t>(i % 256);
  const ImageShape shape = {1, 28, 30};
  EXPECT_EQ(fit_picture(grey_picture(30, 28, pixels), shape), pixels);
  EXPECT_EQ(fit_picture(grey_picture(30, 28, inverted(pixels)), shape), pixels);
}

TEST(FitPicture, ColoursBecomeGreyByTheirLuma) {
  const Picture picture = {3, 1, 3, {255, 0, 0, 0, 255, 0, 0, 0, 255}};
  EXPECT_EQ(fit_picture(picture, {1, 1, 3}), (Bytes{76, 150, 29}));
}

TEST(FitPicture, ThreeChannelsKeepTheirColours) {
  const Picture picture = {2, 1, 3, {250, 251, 252, 3, 4, 5}};
  EXPECT_EQ(fit_picture(picture, {3, 1, 2}), (Bytes{250, 3, 251, 4, 252, 5}));
  EXPECT_EQ(fit_picture(grey_picture(2, 1, {250, 3}), {3, 1, 2}), (Bytes{250, 3, 250, 3, 250, 3}));
}

TEST(FitPicture, ThreeChannelsAreScaledByAreaAndCentred) {
  // 4x2 of two halves into 2x3: each 2x2 block is averaged, and a row of the border's median is left on either side.
  const Picture picture = grey_picture(4, 2, {10, 20, 100, 100, 30, 40, 100, 100});
  // That is the lower of the middle two of 10 20 30 40 100 100 100 100.
  const Bytes channel = {40, 40, 25, 100, 40, 40};
  Bytes expected;
  for (int i = 0; i < 3; ++i) expected.insert(expected.end(), channel.begin(), channel.end());
  EXPECT_EQ(fit_picture(picture, {3, 3, 2}), expected);
}

TEST(FitPicture, ThreeChannelsAreEnlargedBilinearly) {
  const Bytes got = fit_picture(grey_picture(2, 1, {0, 100}), {3, 1, 4});
  // Too wide to fit 2x1 into 4x1 at twice the size: height allows no enlarging, so it stands in the middle.
  EXPECT_EQ(Bytes(got.begin(), got.begin() + 4), (Bytes{0, 0, 100, 0}));
  const Bytes doubled = fit_picture(grey_picture(2, 1, {0, 100}), {3, 2, 4});
  EXPECT_EQ(Bytes(doubled.begin(), doubled.begin() + 8), (Bytes{0, 25, 75, 100, 0, 25, 75, 100}));
}

TEST(FitPicture, OtherChannelCountsAreRefused) {
  EXPECT_EQ(error_message([] {
              fit_picture(grey_picture(1, 1, {0}), {2, 28, 28});
            }),
            "a picture fits images of 1 or 3 channels, not of 2");
}

// A black rectangle on white paper, far from the middle, comes out white on black, 20 pixels high, its centre of mass
// (9.5 rows and 4.5 columns from its first pixel) as near to pixel (14,14) as whole pixels allow.
TEST(FitPicture, AFigureIsCroppedScaledAndCentred) {
  Picture picture = grey_picture(100, 90, Bytes(9000, 255));
  for (std::int64_t row = 10; row < 50; ++row)
    for (std::int64_t column = 70; column < 90; ++column)
      picture.pixels[static_cast<std::size_t>(row * 100 + column)] = 0;
  Bytes expected(784, 0);
  for (std::size_t row = 5; row < 25; ++row)
    for (std::size_t column = 10; column < 20; ++column) expected[row * 28 + column] = 255;
  EXPECT_EQ(fit_picture(picture, mnist_shape), expected);
}

TEST(FitPicture, AnEmptyPictureStaysEmpty) {
  EXPECT_EQ(fit_picture(grey_picture(50, 40, Bytes(2000, 255)), mnist_shape), Bytes(784, 0));
  EXPECT_EQ(fit_picture(grey_picture(50, 40, Bytes(2000, 0)), mnist_shape), Bytes(784, 0));
  EXPECT_EQ(fit_picture(grey_picture(1, 1, {255}), mnist_shape), Bytes(784, 0));
}

TEST(FitPicture, TheSmallestAndTheNarrowestFigures) {
  Picture dot = grey_picture(31, 29, Bytes(std::size_t{31} * 29, 0));
  dot.pixels[400] = 255;
  Bytes got = fit_picture(dot, mnist_shape);
  EXPECT_EQ(std::count(got.begin(), got.end(), 255), 400);
  Picture line = grey_picture(1, 5000, Bytes(5000, 0));
  std::fill(line.pixels.begin() + 1000, line.pixels.begin() + 2000, std::uint8_t{200});
  got = fit_picture(line, mnist_shape);
  EXPECT_EQ(got.size(), 784U);
  EXPECT_EQ(fit_picture(dot, {1, 1, 1}).size(), 1U);
}

// MNIST's digits, drawn large in dark ink on unevenly lit, grainy paper, well off the middle: what comes out must be
// much like the digit that went in.
Picture photograph(const std::uint8_t* digit) {
  constexpr std::int64_t zoom = 12;
  constexpr std::int64_t width = 28 * zoom + 60;
  constexpr std::int64_t height = 28 * zoom + 20;
  constexpr double ink = 50;
  Picture picture = {width, height, 1, {}};
  for (std::int64_t row = 0; row < height; ++row)
    for (std::int64_t column = 0; column < width; ++column) {
      const std::int64_t i = (row - 4) / zoom;
      const std::int64_t j = (column - 55) / zoom;
      const bool inside = row >= 4 && column >= 55 && i < 28 && j < 28;
      const double coverage = inside ? digit[i * 28 + j] / 255.0 : 0.0;
      const double paper = 210.0 - 30.0 * static_cast<double>(row) / static_cast<double>(height);
      const double grain = static_cast<double>((row * 7919 + column * 104729 + row * column) % 17 - 8);
      picture.pixels.push_back(static_cast<std::uint8_t>(paper - (paper - ink) * coverage + grain));
    }
  return picture;
}

double correlation(const std::uint8_t* a, const Bytes& b) {
  double ab = 0;
  double aa = 0;
  double bb = 0;
  for (std::size_t i = 0; i < b.size(); ++i) {
    ab += static_cast<double>(a[i]) * b[i];
    aa += static_cast<double>(a[i]) * a[i];
    bb += static_cast<double>(b[i]) * b[i];
  }
  return ab / std::sqrt(aa * bb);
}

TEST(FitPicture, PhotographsOfDigitsComeOutAsTheDigits) {
  const Dataset mnist = load_mnist();
  constexpr int count = 40;
  double sum = 0;
  for (int i = 0; i < count; ++i) {
    const std::uint8_t* digit = mnist.test->image(i);
    sum += correlation(digit, fit_picture(photograph(digit), mnist_shape));
  }
  EXPECT_GT(sum / count, 0.9);
}

}  // namespace
}  // namespace touchstone
