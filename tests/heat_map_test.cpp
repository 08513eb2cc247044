// SPDX-License-Identifier: Apache-2.0
#include "host/report/heat_map.h"

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "host/data/picture_formats.h"
#include "host/report/bitmap_font.h"
#include "host/report/divergence_report.h"

namespace touchstone::report {
namespace {

Pixel pixel(const Picture& picture, std::int64_t x, std::int64_t y) {
  const auto* const first = picture.pixels.data() + (y * picture.width + x) * 3;
  return {first[0], first[1], first[2]};
}

Picture blank(std::int64_t width, std::int64_t height) {
  return {.width = width,
          .height = height,
          .channels = 3,
          .pixels = std::vector<std::uint8_t>(static_cast<std::size_t>(width * height * 3), 0)};
}

TEST(BitmapFontTest, DrawsLettersAndCutsThemOff) {
  Picture picture = blank(12, 9);
  draw_text(picture, 1, 1, "1", 1, {9, 8, 7});
  std::string drawn;
  for (std::int64_t y = 1; y < 8; ++y) {
    for (std::int64_t x = 1; x < 6; ++x) drawn += pixel(picture, x, y) == Pixel{9, 8, 7} ? '#' : '.';
    drawn += '\n';
  }
  EXPECT_EQ(drawn, "..#..\n.##..\n..#..\n..#..\n..#..\n..#..\n.###.\n");
  EXPECT_EQ(text_width("10", 2), 22);
  EXPECT_EQ(text_height(2), 14);
  draw_text(picture, -3, -3, "88", 4, {1, 1, 1});  // beyond every edge
}

TEST(HeatMapTest, CellsHaveTheColourOfTheirShare) {
  const Picture picture = draw_heat_map({.values = {0, 1, 10, 0, 0, 100, 100, 1, 0},
                                         .labels = {"0", "1", "2"},
                                         .title = "KL(P || Q)",
                                         .row_name = "P",
                                         .column_name = "Q"});
  EXPECT_EQ(picture.pixels.size(), static_cast<std::size_t>(picture.width * picture.height * 3));
  std::set<Pixel> colours;
  for (std::int64_t y = 0; y < picture.height; ++y) {
    for (std::int64_t x = 0; x < picture.width; ++x) colours.insert(pixel(picture, x, y));
  }
  EXPECT_EQ(colours.count({225, 225, 225}), 1U);  // the diagonal
  EXPECT_EQ(colours.count({253, 231, 37}), 1U);   // the largest
  EXPECT_EQ(colours.count({68, 1, 84}), 1U);      // the smallest
}

TEST(HeatMapTest, IsAPngThatReadsBack) {
  const Picture picture =
      draw_heat_map({.values = {0, 2, 3, 0}, .labels = {"a", "b"}, .title = "", .row_name = "P", .column_name = "Q"});
  const std::vector<std::uint8_t> png = encode_png(picture);
  ASSERT_TRUE(is_png(png));
  const Picture back = decode_png("picture", png);
  EXPECT_EQ(back.width, picture.width);
  EXPECT_EQ(back.channels, 3);
  EXPECT_EQ(back.pixels, picture.pixels);
}

TEST(DivergenceReportTest, NamesThePairsThatStandOut) {
  const DivergenceMatrix matrix = {.names = {"a", "b", "c"}, .kl = {0, 1, 8, 2, 0, 9, 0, 9, 0}};
  const DivergenceSummary summary = summarise(matrix);
  EXPECT_EQ(summary.most_alike.q, 1U);
  EXPECT_EQ(summary.least_alike.p, 1U);
  EXPECT_EQ(summary.least_alike.q, 2U);
  EXPECT_EQ(summary.most_asymmetric.p, 0U);
  EXPECT_EQ(summary.most_asymmetric.q, 2U);
  EXPECT_DOUBLE_EQ(summary.asymmetry, (1.0 / 3 + 1 + 0) / 3);
  const std::string text = divergence_matrix_text(matrix, Style());
  EXPECT_NE(text.find("KL(p || q) in nats (rows: p; columns: q)\np \\ q      a      b      c\n"), std::string::npos)
      << text;
  EXPECT_NE(text.find("most alike   a and b: KL(a || b) = 1.000, KL(b || a) = 2.000\n"), std::string::npos) << text;
}

}  // namespace
}  // namespace touchstone::report
