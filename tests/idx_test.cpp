// SPDX-License-Identifier: Apache-2.0
#include "host/data/idx.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "tests/error_message.h"
#include "tests/idx_bytes.h"
#include "tests/temporary_directory.h"

namespace touchstone {
namespace {

using test::error_message;
using test::gzip;
using test::idx_bytes;
using test::idx_header;
using test::in_quotes;
using testing::HasSubstr;
using testing::StartsWith;

class ReadIdx : public testing::Test {
 protected:
  // The message of the error on reading `contents`; it must begin with the file's name.
  std::string error_on(const std::string& contents, IdxContent content = IdxContent::images) {
    const std::filesystem::path file = directory_.write("the-file", contents);
    std::string message = error_message([&] { read_idx(file, content); });
    EXPECT_THAT(message, StartsWith(in_quotes(file) + ": "));
    return message;
  }

  IdxFile read(const std::string& contents, IdxContent content = IdxContent::images) {
    return read_idx(directory_.write("the-file", contents), content);
  }

  test::TemporaryDirectory directory_;
};

void expect_elements(const IdxFile& file, const std::string& contents) {
  const std::string expected = contents.substr(4 + 4 * file.sizes.size());
  ASSERT_EQ(file.elements.size(), expected.size());
  EXPECT_TRUE(std::equal(expected.begin(), expected.end(), file.elements.begin(),
                         [](char a, std::uint8_t b) { return static_cast<std::uint8_t>(a) == b; }));
}

TEST_F(ReadIdx, PlainImages) {
  const std::string contents = idx_bytes({5, 3, 7});
  const IdxFile file = read(contents);
  EXPECT_EQ(file.sizes, (std::vector<std::uint32_t>{5, 3, 7}));
  expect_elements(file, contents);
}

TEST_F(ReadIdx, PlainLabels) {
  const std::string contents = idx_bytes({9});
  const IdxFile file = read(contents, IdxContent::labels);
  EXPECT_EQ(file.sizes, (std::vector<std::uint32_t>{9}));
  expect_elements(file, contents);
}

TEST_F(ReadIdx, FewerBytesThanTheLongestHeader) {
  const std::string contents = idx_bytes({1});
  expect_elements(read(contents, IdxContent::labels), contents);
  expect_elements(read(gzip(contents), IdxContent::labels), contents);
}

TEST_F(ReadIdx, GzipImagesOfRank4WithTheirChecksum) {
  const std::string contents = idx_bytes({4, 3, 5, 6});
  const IdxFile file = read(gzip(contents));
  EXPECT_EQ(file.sizes, (std::vector<std::uint32_t>{4, 3, 5, 6}));
  expect_elements(file, contents);
  EXPECT_EQ(file.crc32, libdeflate_crc32(0, contents.data(), contents.size()));
}

TEST_F(ReadIdx, LargerThanAHugePage) {
  const std::string contents = idx_bytes({300, 100, 101});
  expect_elements(read(contents), contents);
  expect_elements(read(gzip(contents)), contents);
}

TEST_F(ReadIdx, GzipOfSeveralMembersWhereverTheyAreSplit) {
  const std::string contents = idx_bytes({4, 5, 6});
  for (const std::size_t split : {0U, 1U, 10U, 16U, 17U, 100U}) {
    const IdxFile file = read(gzip(contents.substr(0, split)) + gzip(contents.substr(split)));
    expect_elements(file, contents);
    EXPECT_FALSE(file.crc32.has_value());
  }
}

TEST_F(ReadIdx, HighSizesAreUnsigned) {
  EXPECT_THAT(error_on(idx_header({0x80000000U, 1, 1})), HasSubstr("sizes 2147483648x1x1: expected 2147483664 bytes"));
}

TEST_F(ReadIdx, MissingFile) {
  const std::filesystem::path file = directory_ / "absent";
  EXPECT_EQ(error_message([&] { read_idx(file, IdxContent::images); }), in_quotes(file) + ": no such file");
}

TEST_F(ReadIdx, DirectoryInPlaceOfAFile) {
  EXPECT_EQ(error_message([&] { read_idx(directory_.path(), IdxContent::images); }),
            in_quotes(directory_.path()) + ": expected a file, got a directory");
}

TEST_F(ReadIdx, PipeInPlaceOfAFile) {
  const std::filesystem::path pipe = directory_ / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THAT(error_message([&] { read_idx(pipe, IdxContent::images); }), HasSubstr("not a regular file"));
}

TEST_F(ReadIdx, Empty) {
  EXPECT_THAT(error_on(""), HasSubstr("the file is empty"));
  EXPECT_THAT(error_on(gzip("")), HasSubstr("the file is empty once decompressed"));
}

TEST_F(ReadIdx, TruncatedHeader) {
  for (const std::size_t length : {1U, 2U, 3U}) {
    const std::string start = idx_bytes({2, 3, 4}).substr(0, length);
    const std::string expected = "header: expected at least 4 bytes, got " + std::to_string(length);
    EXPECT_THAT(error_on(start), HasSubstr(expected));
    EXPECT_THAT(error_on(gzip(start)), HasSubstr(expected));
  }
  const std::string start = idx_bytes({2, 3, 4}).substr(0, 15);
  EXPECT_THAT(error_on(start), HasSubstr("header: expected 16 bytes for rank 3, got 15: the file is truncated"));
  EXPECT_THAT(error_on(gzip(start)), HasSubstr("header: expected 16 bytes for rank 3, got 15: the file is truncated"));
}

TEST_F(ReadIdx, TruncatedElements) {
  const std::string contents = idx_bytes({2, 3, 4}).substr(0, 39);
  const auto expected = HasSubstr("sizes 2x3x4: expected 40 bytes with the header, got 39: the file is truncated");
  EXPECT_THAT(error_on(contents), expected);
  EXPECT_THAT(error_on(gzip(contents)), expected);
}

TEST_F(ReadIdx, TrailingBytes) {
  const std::string contents = idx_bytes({2, 3, 4}) + "x";
  EXPECT_THAT(error_on(contents),
              HasSubstr("sizes 2x3x4: expected 40 bytes with the header, got 41: the file is over-long"));
  EXPECT_THAT(error_on(gzip(contents)),
              HasSubstr("sizes 2x3x4: expected 40 bytes with the header, got more: the file is over-long"));
  EXPECT_THAT(error_on(gzip(idx_bytes({2, 3, 4})) + gzip("x")), HasSubstr("got more: the file is over-long"));
  EXPECT_THAT(error_on(gzip(idx_bytes({2, 3, 4})) + "xyz"), HasSubstr("3 bytes follow the end of the gzip data"));
}

TEST_F(ReadIdx, TruncatedGzipAtEveryByte) {
  const std::string compressed = gzip(idx_bytes({2, 3, 4}));
  for (std::size_t length = 2; length < compressed.size(); ++length)
    EXPECT_THAT(error_on(compressed.substr(0, length)), HasSubstr("the gzip data end early")) << length;
}

TEST_F(ReadIdx, LongGzipTruncated) {
  const std::string compressed = gzip(idx_bytes({100, 40, 40}, 0, 7));
  EXPECT_THAT(error_on(compressed.substr(0, compressed.size() / 2)), HasSubstr("the gzip data end early, after "));
}

TEST_F(ReadIdx, GzipWithABadChecksum) {
  std::string compressed = gzip(idx_bytes({2, 3, 4}));
  compressed[compressed.size() - 8] ^= 1;
  EXPECT_THAT(error_on(compressed), HasSubstr("incorrect data check"));
}

TEST_F(ReadIdx, GzipWithABadSize) {
  std::string compressed = gzip(idx_bytes({2, 3, 4}));
  compressed[compressed.size() - 1] ^= 1;
  EXPECT_THAT(error_on(compressed), HasSubstr("incorrect length check"));
}

TEST_F(ReadIdx, GzipWithABrokenStream) {
  std::string compressed = gzip(idx_bytes({2, 3, 4}));
  compressed[10] = '\x07';  // a block of the reserved type
  EXPECT_THAT(error_on(compressed), HasSubstr("corrupt gzip data near byte"));
}

// A fuzzer in small: whatever byte is flipped, the file is either refused or reads as it was (the header's time stamp
// means nothing).
TEST_F(ReadIdx, GzipWithAnyByteFlipped) {
  const std::string contents = idx_bytes({2, 3, 4});
  const std::string compressed = gzip(contents);
  std::size_t refused = 0;
  for (std::size_t i = 0; i < compressed.size(); ++i) {
    std::string flipped = compressed;
    flipped[i] ^= '\xFF';
    try {
      expect_elements(read(flipped), contents);
    } catch (const Error&) {
      ++refused;
    }
  }
  EXPECT_GE(refused, compressed.size() - 6);  // time, extra flags and operating system are nobody's concern
}

TEST_F(ReadIdx, WrongMagic) {
  EXPECT_THAT(error_on("\x89PNG1234567890123456"),
              HasSubstr("magic number: expected two zero bytes, got 0x89 0x50: this is no IDX file"));
  std::string second = idx_bytes({2, 3, 4});
  second[1] = 1;
  EXPECT_THAT(error_on(second), HasSubstr("magic number: expected two zero bytes, got 0x00 0x01"));
}

TEST_F(ReadIdx, WrongElementType) {
  const auto error_on_type = [this](std::uint8_t type) { return error_on(idx_header({2, 3, 4}, type)); };
  const std::string start = "element type: expected unsigned byte (0x08), got ";
  EXPECT_THAT(error_on_type(0x09), HasSubstr(start + "signed byte (0x09)"));
  EXPECT_THAT(error_on_type(0x0B), HasSubstr(start + "int16 (0x0B)"));
  EXPECT_THAT(error_on_type(0x0C), HasSubstr(start + "int32 (0x0C)"));
  EXPECT_THAT(error_on_type(0x0D), HasSubstr(start + "float32 (0x0D)"));
  EXPECT_THAT(error_on_type(0x0E), HasSubstr(start + "float64 (0x0E)"));
  EXPECT_THAT(error_on_type(0xFF), HasSubstr(start + "an unknown type (0xFF)"));
}

TEST_F(ReadIdx, WrongRank) {
  const std::vector<std::uint32_t> ones(5, 1);
  for (const std::size_t rank : {0U, 1U, 2U, 5U})
    EXPECT_THAT(error_on(idx_bytes({ones.begin(), ones.begin() + static_cast<std::ptrdiff_t>(rank)})),
                HasSubstr("rank: expected 3 or 4 for images, got " + std::to_string(rank)));
  std::string rank_255 = idx_bytes({1, 1, 1});
  rank_255[3] = '\xFF';
  EXPECT_THAT(error_on(rank_255), HasSubstr("rank: expected 3 or 4 for images, got 255"));
  for (const std::size_t rank : {0U, 2U, 3U, 4U})
    EXPECT_THAT(
        error_on(idx_bytes({ones.begin(), ones.begin() + static_cast<std::ptrdiff_t>(rank)}), IdxContent::labels),
        HasSubstr("rank: expected 1 for labels, got " + std::to_string(rank)));
}

TEST_F(ReadIdx, ZeroSize) {
  EXPECT_THAT(error_on(idx_header({0, 3, 4})), HasSubstr("count: expected at least 1, got 0"));
  EXPECT_THAT(error_on(idx_header({2, 0, 4})), HasSubstr("height: expected at least 1, got 0"));
  EXPECT_THAT(error_on(idx_header({2, 3, 0})), HasSubstr("width: expected at least 1, got 0"));
  EXPECT_THAT(error_on(idx_header({2, 0, 3, 4})), HasSubstr("channels: expected at least 1, got 0"));
  EXPECT_THAT(error_on(idx_header({0}), IdxContent::labels), HasSubstr("count: expected at least 1, got 0"));
}

TEST_F(ReadIdx, SizesWhoseProductOverflows) {
  constexpr std::uint32_t most = 0xFFFFFFFF;
  const std::string expected = "their product is more than any file can hold";
  for (const std::vector<std::uint32_t>& sizes : {std::vector<std::uint32_t>{most, most, most},
                                                  {most, most, most, most},
                                                  {65536, 65536, 65536, 65536},
                                                  {most, 2, most},
                                                  {most, most, 1},
                                                  {0x80000000, 0x80000000, 4, 1}}) {
    EXPECT_THAT(error_on(idx_header(sizes)), HasSubstr(expected));
    EXPECT_THAT(error_on(gzip(idx_header(sizes))), HasSubstr(expected));
  }
}

TEST_F(ReadIdx, SizesFarAboveTheFile) {
  EXPECT_THAT(error_on(idx_header({0x7FFFFFFF, 0x7FFFFFFF, 1})), HasSubstr("got 16: the file is truncated"));
  EXPECT_THAT(error_on(gzip(idx_header({0x7FFFFFFF, 0x7FFFFFFF, 1}))), HasSubstr("too small to hold them"));
}

// 64 MiB of zeros behind a header that announces 24 bytes: no room is made for them, so they are never decoded.
TEST_F(ReadIdx, GzipBomb) {
  const std::string bomb = gzip(idx_header({2, 3, 4}) + std::string(std::size_t{64} << 20U, '\0'));
  EXPECT_THAT(error_on(bomb), HasSubstr("sizes 2x3x4: expected 40 bytes with the header, got more"));
}

TEST_F(ReadIdx, CountsThatDiffer) {
  const std::filesystem::path images = directory_.write("images", idx_bytes({3, 2, 2}));
  const std::filesystem::path labels = directory_.write("labels", idx_bytes({4}));
  EXPECT_EQ(error_message([&] { load_idx(images, labels); }),
            "counts differ: " + in_quotes(images) + " holds 3 images, " + in_quotes(labels) + " holds 4 labels");
}

TEST_F(ReadIdx, ImageSetOfRank3HasOneChannel) {
  const ImageSet set =
      load_idx(directory_.write("images", idx_bytes({3, 2, 5})), directory_.write("labels", gzip(idx_bytes({3}, 7))));
  EXPECT_EQ(set.count, 3);
  EXPECT_EQ(set.shape, (ImageShape{1, 2, 5}));
  EXPECT_EQ(set.labels, (std::vector<std::uint8_t>{7, 8, 9}));
  EXPECT_EQ(*set.image(2), 20);
}

TEST_F(ReadIdx, ImageSetOfRank4) {
  const ImageSet set =
      load_idx(directory_.write("images", idx_bytes({2, 3, 4, 5})), directory_.write("labels", idx_bytes({2})));
  EXPECT_EQ(set.count, 2);
  EXPECT_EQ(set.shape, (ImageShape{3, 4, 5}));
  EXPECT_EQ(set.pixels.size(), 120U);
  EXPECT_EQ(*set.image(1), 60);
}

}  // namespace
}  // namespace touchstone
