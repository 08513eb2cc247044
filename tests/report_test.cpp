// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "host/report/evaluation_report.h"
#include "host/report/image_drawing.h"
#include "host/report/progress_bar.h"
#include "host/report/table.h"
#include "host/report/terminal.h"
#include "host/report/training_report.h"
#include "host/report/units.h"

namespace touchstone::report {
namespace {

TEST(Units, DigitsAreGroupedByThree) {
  EXPECT_EQ(group_digits(0), "0");
  EXPECT_EQ(group_digits(999), "999");
  EXPECT_EQ(group_digits(1000), "1,000");
  EXPECT_EQ(group_digits(1234567), "1,234,567");
  EXPECT_EQ(group_digits(-123456), "-123,456");
}

TEST(Units, BytesTakeTheUnitThatFits) {
  EXPECT_EQ(format_bytes(1023), "1023 B");
  EXPECT_EQ(format_bytes(1024), "1.0 KiB");
  EXPECT_EQ(format_bytes(1536), "1.5 KiB");
  EXPECT_EQ(format_bytes(1024 * 1024 - 1), "1.0 MiB");
  EXPECT_EQ(format_bytes(std::int64_t{3} << 30), "3.0 GiB");
}

TEST(Units, TimesAreRoundedAsTheyAreRead) {
  EXPECT_EQ(format_seconds(0.123), "0.12 s");
  EXPECT_EQ(format_seconds(9.999), "10.0 s");
  EXPECT_EQ(format_seconds(99.96), "1 min 40 s");
  EXPECT_EQ(format_seconds(3599.7), "1 h 00 min");
  EXPECT_EQ(format_clock(59.6), "1:00");
  EXPECT_EQ(format_clock(3723), "1:02:03");
  EXPECT_EQ(format_clock(std::numeric_limits<double>::infinity()), "99:59:59");
}

TEST(TableTest, AlignsByWhatIsSeen) {
  Table table({{"name", Align::left}, {"n"}});
  table.add_row({"ä", "1"});
  table.add_row({Style(true).red("long name"), "200"});
  table.set_total({"total", "201"});
  EXPECT_EQ(table.to_string(Style()),
            "name         n\n"
            "---------  ---\n"
            "ä            1\n"
            "\x1b[1;31mlong name\x1b[0m  200\n"
            "---------  ---\n"
            "total      201\n");
}

TEST(TableTest, ColumnsWithoutHeadingHaveNoRule) {
  Table table({{"n"}, {"", Align::left}});
  table.add_row({"1", "##"});
  EXPECT_EQ(table.to_string(Style()), "n\n-\n1  ##\n");
}

TEST(Bar, IsAsLongAsItsFraction) {
  EXPECT_EQ(bar(0, 4, false), "    ");
  EXPECT_EQ(bar(0.5, 4, false), "##  ");
  EXPECT_EQ(bar(1, 4, false), "####");
  EXPECT_EQ(bar(7, 4, false), "####");
  EXPECT_EQ(bar(std::nan(""), 4, false), "    ");
  EXPECT_EQ(bar(0.375, 4, true), "█▌  ");
}

TEST(ProgressLine, FitsAnyWidth) {
  const TrainingProgress progress{.epoch = 3,
                                  .epochs = 10,
                                  .samples = 30000,
                                  .samples_per_epoch = 60000,
                                  .running_loss = 0.12345,
                                  .running_accuracy = 0.9};
  const ProgressFigures figures{.images_per_second = 41234, .seconds_left = 75};
  EXPECT_EQ(progress_line(progress, figures, {.terminal = true, .cursor = true, .width = 120}),
            "epoch  3/10 [###############               ]  50 %  loss 0.1235  41,234 images/s  1:15 left");
  for (int width = 0; width < 120; ++width) {
    for (const bool unicode : {false, true}) {
      const std::string line = progress_line(
          progress, figures, {.terminal = true, .cursor = true, .colour = true, .unicode = unicode, .width = width});
      EXPECT_LE(display_width(line), static_cast<std::size_t>(std::max(0, width - 1))) << width;
    }
  }
}

TEST(Drawing, ReducesAndShades) {
  const std::vector<std::uint8_t> pixels = {0, 255, 0, 255, 0, 255, 0, 255};
  const ImageShape shape{.channels = 1, .height = 2, .width = 4};
  EXPECT_EQ(draw_image(pixels.data(), shape, 4, {}), std::vector<std::string>{" @ @"});
  EXPECT_EQ(draw_image(pixels.data(), shape, 4, {.unicode = true}), std::vector<std::string>{" █ █"});
  // Two pixels become one, half as bright: a single row of two, the lower half of the line is empty.
  EXPECT_EQ(draw_image(pixels.data(), shape, 2, {}), std::vector<std::string>{"::"});
  const std::string coloured =
      draw_image(pixels.data(), shape, 4, {.terminal = true, .cursor = true, .colour = true, .unicode = true}).at(0);
  EXPECT_EQ(display_width(coloured), 4U);
  EXPECT_EQ(coloured.rfind("\x1b[38;5;232;48;5;232m▀\x1b[38;5;255;48;5;255m▀", 0), 0U);
}

TEST(ClassScores, FollowFromTheConfusion) {
  const std::vector<ClassScore> scores = class_scores({{8, 2, 0}, {1, 9, 0}, {0, 0, 0}});
  EXPECT_EQ(scores[0].count, 10);
  EXPECT_EQ(scores[0].predicted, 9);
  EXPECT_DOUBLE_EQ(scores[0].precision, 8.0 / 9);
  EXPECT_DOUBLE_EQ(scores[0].recall, 0.8);
  EXPECT_DOUBLE_EQ(scores[0].f1, 16.0 / 19);
  EXPECT_EQ(scores[2].precision, 0);  // nothing of 0 is not a number that JSON has
}

TEST(NumberOrNull, IsNullWhereJsonHasNoNumber) {
  EXPECT_EQ(number_or_null(0.5), Json(0.5));
  EXPECT_TRUE(number_or_null(std::numeric_limits<double>::infinity()).is_null());
  EXPECT_TRUE(number_or_null(std::numeric_limits<double>::quiet_NaN()).is_null());
}

}  // namespace
}  // namespace touchstone::report
