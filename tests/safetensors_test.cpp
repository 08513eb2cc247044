// SPDX-License-Identifier: Apache-2.0
#include "host/model/safetensors.h"

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/error_message.h"
#include "tests/temporary_directory.h"

namespace touchstone {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

/// A file's bytes from its header and data, the header's length as it is unless given.
std::string file_bytes(const std::string& header, const std::string& data, std::int64_t length = -1) {
  const auto stated = length < 0 ? static_cast<std::uint64_t>(header.size()) : static_cast<std::uint64_t>(length);
  std::string bytes(reinterpret_cast<const char*>(&stated), sizeof stated);
  return bytes + header + data;
}

std::string load_error(const std::string& bytes) {
  const test::TemporaryDirectory directory;
  const auto file = directory.write("m.safetensors", bytes);
  const std::string message = test::error_message([&] { Safetensors::load(file); });
  EXPECT_THAT(message, AllOf(HasSubstr("m.safetensors: "), ::testing::Not(HasSubstr("\n"))));
  return message;
}

std::string tensor(const std::string& name, const std::string& shape, const std::string& offsets,
                   const std::string& type = "F32") {
  return fmt::format(R"("{}":{{"dtype":"{}","shape":{},"data_offsets":{}}})", name, type, shape, offsets);
}

std::string header(const std::vector<std::string>& tensors) { return fmt::format("{{{}}}", fmt::join(tensors, ",")); }

TEST(Safetensors, ReadsWhatItWrites) {
  const test::TemporaryDirectory directory;
  const auto file = directory / "m.safetensors";
  Safetensors written;
  written.tensors["b"] = {TensorType::float32, {2, 3}, {1, -2, 3.5, 0, 1e-30F, 7}};
  written.tensors["a"] = {TensorType::float64, {2}, {0.1, -1e300}};
  written.tensors["scalar"] = {TensorType::float32, {}, {4}};
  written.tensors["empty"] = {TensorType::float32, {0, 5}, {}};
  written.metadata = {{"key", "a \"quoted\" text\nof two lines"}};
  written.save(file);
  const Safetensors read = Safetensors::load(file);
  EXPECT_EQ(read.metadata, written.metadata);
  ASSERT_EQ(read.tensors.size(), 4U);
  for (const auto& [name, tensor] : written.tensors) {
    EXPECT_EQ(read.tensors.at(name).shape, tensor.shape) << name;
    EXPECT_EQ(read.tensors.at(name).values, tensor.values) << name;
    EXPECT_EQ(read.tensors.at(name).type, tensor.type) << name;
  }
}

TEST(Safetensors, TheLayoutIsTheFormats) {
  const test::TemporaryDirectory directory;
  const auto file = directory / "m.safetensors";
  Safetensors contents;
  contents.tensors["x"] = {TensorType::float32, {1}, {1.0}};
  contents.save(file);
  const std::string bytes = test::read_file(file);
  std::uint64_t length = 0;
  std::memcpy(&length, bytes.data(), sizeof length);
  EXPECT_EQ(length % 8, 0U);
  ASSERT_EQ(bytes.size(), 8 + length + 4);
  EXPECT_EQ(bytes[8], '{');
  EXPECT_EQ(bytes.substr(8 + length), std::string("\x00\x00\x80\x3f", 4));
}

TEST(Safetensors, ReadsAHandWrittenFile) {
  const test::TemporaryDirectory directory;
  const std::string one("\x00\x00\x80\x3f", 4);
  const auto file = directory.write("m", file_bytes(header({tensor("x", "[2]", "[0,8]")}), one + one));
  EXPECT_EQ(Safetensors::load(file).tensors.at("x").values, (std::vector<double>{1, 1}));
}

TEST(Safetensors, RefusesTruncation) {
  EXPECT_THAT(load_error(""), HasSubstr("it has 0 bytes"));
  EXPECT_THAT(load_error("1234567"), HasSubstr("it has 7 bytes"));
  EXPECT_THAT(load_error(file_bytes("{}", "", 100)), HasSubstr("its header should have 100 bytes, but 2 follow"));
  EXPECT_THAT(load_error(file_bytes("{}", "", INT64_MAX)), HasSubstr("its header should have"));
  EXPECT_THAT(load_error(file_bytes(header({tensor("x", "[2]", "[0,8]")}), "1234")),
              HasSubstr("lie outside the 4 bytes"));
}

TEST(Safetensors, RefusesAHeaderThatLiesAboutOffsets) {
  const std::string eight = "12345678";
  EXPECT_THAT(load_error(file_bytes(header({tensor("x", "[2]", "[8,0]")}), eight)), HasSubstr("data_offsets [8, 0]"));
  EXPECT_THAT(load_error(file_bytes(header({tensor("x", "[2]", "[0]")}), eight)), HasSubstr("data_offsets [0]"));
  EXPECT_THAT(load_error(file_bytes(header({tensor("x", "[3]", "[0,8]")}), eight)),
              HasSubstr("takes 12 bytes, its data_offsets span 8"));
  EXPECT_THAT(load_error(file_bytes(header({tensor("x", "[1]", "[0,4]"), tensor("y", "[1]", "[0,4]")}), "1234")),
              HasSubstr("overlap at byte 4"));
  EXPECT_THAT(load_error(file_bytes(header({tensor("x", "[1]", "[4,8]")}), eight)), HasSubstr("gap at byte 0"));
  EXPECT_THAT(load_error(file_bytes(header({tensor("x", "[1]", "[0,4]")}), eight)),
              HasSubstr("4 bytes of data belong to no tensor"));
  EXPECT_THAT(load_error(file_bytes(header({tensor("x", "[4294967296,4294967296,2]", "[0,8]")}), eight)),
              HasSubstr("its shape overflows"));
  EXPECT_THAT(load_error(file_bytes(header({tensor("x", "[-2]", "[0,8]")}), eight)),
              HasSubstr("something other than sizes"));
}

TEST(Safetensors, RefusesWhatItCannotRead) {
  EXPECT_THAT(load_error(file_bytes("[1]", "")), HasSubstr("not a JSON object"));
  EXPECT_THAT(load_error(file_bytes("{\"x\":", "")), HasSubstr("not a JSON object"));
  EXPECT_THAT(load_error(file_bytes("{\"x\":3}", "")), HasSubstr("tensor `x` is not described"));
  EXPECT_THAT(load_error(file_bytes(header({tensor("x", "[2]", "[0,4]", "F16")}), "1234")),
              HasSubstr("expected `dtype` F32 or F64, not F16"));
  EXPECT_THAT(load_error(file_bytes("{\"__metadata__\":{\"a\":1}}", "")), HasSubstr("`a` is not a string"));
  const test::TemporaryDirectory directory;
  EXPECT_THAT(test::error_message([&] { Safetensors::load(directory / "none"); }), HasSubstr("No such file"));
  EXPECT_THAT(test::error_message([&] { Safetensors::load(directory.path()); }), HasSubstr("is a directory"));
}

}  // namespace
}  // namespace touchstone
