// SPDX-License-Identifier: Apache-2.0
#include "host/model/write_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/error_message.h"
#include "tests/temporary_directory.h"

namespace touchstone {
namespace {

using ::testing::HasSubstr;

TEST(WriteFile, ReplacesTheWholeFileAndLeavesNothingBeside) {
  const test::TemporaryDirectory directory;
  const auto file = directory.write("a.txt", "a longer text than the next");
  write_file(file, "short");
  EXPECT_EQ(test::read_file(file), "short");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory.path()), {}), 1);
}

TEST(WriteFile, JoinsItsParts) {
  const test::TemporaryDirectory directory;
  const std::string_view a = "one ";
  const std::string_view b = "two";
  write_file(directory / "b", {std::as_bytes(std::span(a)), {}, std::as_bytes(std::span(b))});
  EXPECT_EQ(test::read_file(directory / "b"), "one two");
}

TEST(WriteFile, SaysWhyItCannot) {
  const test::TemporaryDirectory directory;
  EXPECT_THAT(test::error_message([&] { write_file(directory / "missing/a", "x"); }),
              ::testing::AllOf(HasSubstr("missing/a: cannot write"), HasSubstr("No such file or directory")));
}

TEST(WriteFile, AFullDiskLeavesTheOldFileAndNothingBeside) {
  const test::TemporaryDirectory directory;
  const auto file = directory.write("kept", "old");
  std::filesystem::create_symlink("/dev/full", directory / "kept.part");  // where the new contents are written first
  EXPECT_THAT(test::error_message([&] { write_file(file, "new"); }), HasSubstr("No space left on device"));
  EXPECT_EQ(test::read_file(file), "old");
  EXPECT_FALSE(std::filesystem::exists(std::filesystem::symlink_status(directory / "kept.part")));
}

}  // namespace
}  // namespace touchstone
