// SPDX-License-Identifier: Apache-2.0
#include "host/data/sample_file.h"

#include <cstring>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/error_message.h"
#include "tests/temporary_directory.h"

namespace touchstone::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

/// A NumPy file: version, header and elements.
template <class T>
std::string npy(int version, const std::string& dictionary, const std::vector<T>& elements) {
  std::string bytes = "\x93NUMPY";
  bytes += static_cast<char>(version);
  bytes += '\0';
  for (int i = 0; i < (version == 1 ? 2 : 4); ++i) bytes += static_cast<char>(dictionary.size() >> (8 * i) & 0xFFU);
  bytes += dictionary;
  bytes.append(reinterpret_cast<const char*>(elements.data()), elements.size() * sizeof(T));
  return bytes;
}

std::string header(const std::string& type, const std::string& shape, const std::string& order = "False") {
  return "{'descr': '" + type + "', 'fortran_order': " + order + ", 'shape': " + shape + ", }          \n";
}

class SampleFileTest : public ::testing::Test {
 protected:
  [[nodiscard]] SampleMatrix load(const std::string& contents) const {
    return load_samples(directory_.write("samples", contents));
  }
  [[nodiscard]] std::string message(const std::string& contents) const {
    return error_message([&] { static_cast<void>(load(contents)); });
  }

 private:
  TemporaryDirectory directory_;
};

TEST_F(SampleFileTest, ReadsNumpyArrays) {
  const std::vector<double> doubles = {1, 2, 3, 4, 5, 0.1};
  for (const int version : {1, 2, 3}) {
    const SampleMatrix samples = load(npy(version, header("<f8", "(3, 2)"), doubles));
    EXPECT_EQ(samples.count, 3);
    EXPECT_EQ(samples.dimensions, 2);
    EXPECT_EQ(samples.values, doubles);
  }
  const SampleMatrix single = load(npy<float>(1, header("<f4", "(2, 2)"), {1, 2, 3, 0.1F}));
  EXPECT_THAT(single.values, ElementsAre(1, 2, 3, 0.1F));
  const SampleMatrix columns = load(npy(1, header("<f8", "(3, 2)", "True"), doubles));
  EXPECT_THAT(columns.values, ElementsAre(1, 4, 2, 5, 3, 0.1));
  const SampleMatrix line = load(npy(1, header("<f8", "(6,)"), doubles));
  EXPECT_EQ(line.count, 6);
  EXPECT_EQ(line.dimensions, 1);
}

/// numpy.save(file, numpy.zeros((3, 2), numpy.float32)) begins so.
TEST_F(SampleFileTest, WritesTheHeaderOfNumpyArrays) {
  const std::string dictionary = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }";
  const std::string header = npy_header(3, 2);
  EXPECT_EQ(header.size(), 128U);
  EXPECT_EQ(header.substr(0, 10), std::string("\x93NUMPY\x01\x00\x76\x00", 10));
  EXPECT_EQ(header.substr(10), dictionary + std::string(117 - dictionary.size(), ' ') + "\n");

  const std::vector<float> elements = {1, 2, 3, 4, 5, 0.1F};
  const std::string bytes(reinterpret_cast<const char*>(elements.data()), elements.size() * sizeof(float));
  const SampleMatrix samples = load(header + bytes);
  EXPECT_EQ(samples.count, 3);
  EXPECT_EQ(samples.dimensions, 2);
  EXPECT_THAT(samples.values, ElementsAre(1, 2, 3, 4, 5, 0.1F));
  for (const std::int64_t count : {std::int64_t{1}, std::int64_t{10000000}, std::int64_t{1000000000000}}) {
    EXPECT_EQ(npy_header(count, 784).size() % 64, 0U) << count;
  }
}

TEST_F(SampleFileTest, RefusesOtherArrays) {
  const std::vector<double> doubles = {1, 2, 3, 4};
  EXPECT_THAT(message(npy(1, header("<i8", "(2, 2)"), doubles)), HasSubstr("type <i8; expected <f4 (float32) or <f8"));
  EXPECT_THAT(message(npy(1, header(">f8", "(2, 2)"), doubles)), HasSubstr(".astype(float)"));
  EXPECT_THAT(message(npy(1, header("<f8", "(1, 2, 2)"), doubles)), HasSubstr("3 axes; expected 2"));
  EXPECT_THAT(message(npy(1, header("<f8", "()"), doubles)), HasSubstr("0 axes"));
  EXPECT_THAT(message(npy(1, header("<f8", "(3, 2)"), doubles)), HasSubstr("but 32 bytes follow"));
  EXPECT_THAT(message(npy(1, header("<f8", "(4611686018427387905, 4)"), doubles)), HasSubstr("bytes follow"));
  EXPECT_THAT(message(npy(1, header("<f8", "(0, 2)"), doubles)), HasSubstr("0 samples of 2 dimensions"));
  EXPECT_THAT(message(npy(9, header("<f8", "(2, 2)"), doubles)), HasSubstr("version 9; expected 1, 2 or 3"));
  EXPECT_THAT(message(npy(1, "{'descr': '<f8'}", doubles)), HasSubstr("names no type or no shape"));
  EXPECT_THAT(message(npy(1, header("<f8", "(2, -2)"), doubles)), HasSubstr("names no type or no shape"));
  EXPECT_THAT(message(std::string("\x93NUMPY\x01\0\xFF\xFF{", 11)), HasSubstr("cut off"));
  EXPECT_THAT(message("\x93NUMPY"), HasSubstr("version 0"));
}

TEST_F(SampleFileTest, ReadsText) {
  for (const char* text :
       {"1,2\n3,4.5\n", "1 2\n3\t4.5", "x,y\r\n1;2\r\n\r\n3; +4.5\r\n", "# a\n1,\"2\" # b\n3,45e-1\n"}) {
    const SampleMatrix samples = load(text);
    EXPECT_EQ(samples.count, 2) << text;
    EXPECT_EQ(samples.dimensions, 2) << text;
    EXPECT_THAT(samples.values, ElementsAre(1, 2, 3, 4.5)) << text;
  }
}

TEST_F(SampleFileTest, RefusesTextThatIsNoMatrix) {
  EXPECT_THAT(message("1,2\n3\n"), HasSubstr("line 2 has 1 numbers; expected 2"));
  EXPECT_THAT(message("1,2\n3,four\n"), HasSubstr("field 2 of line 2 is 'four'; expected a number"));
  EXPECT_THAT(message("1,two\n3,4\n"), HasSubstr("field 2 of line 1 is 'two'"));
  EXPECT_THAT(message("1,\n"), HasSubstr("field 2 of line 1 is ''"));
  EXPECT_THAT(message(""), HasSubstr("0 samples"));
  EXPECT_THAT(message("a,b\n"), HasSubstr("0 samples"));
  EXPECT_THAT(message(std::string("1,2\0", 4)), HasSubstr("neither a NumPy array (.npy) nor text"));
}

}  // namespace
}  // namespace touchstone::test
