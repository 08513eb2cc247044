// SPDX-License-Identifier: Apache-2.0
#include "touchstone/dataset.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <numeric>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>  // setenv is POSIX, not C++

#include "tests/error_message.h"
#include "tests/idx_bytes.h"
#include "tests/temporary_directory.h"

namespace touchstone {
namespace {

namespace fs = std::filesystem;
using test::error_message;
using test::gzip;
using test::idx_bytes;
using test::in_quotes;
using testing::HasSubstr;

ImageSet image_set(const std::vector<std::uint8_t>& pixels) {
  ImageSet set;
  set.count = 1;
  set.shape = {1, 1, static_cast<std::int64_t>(pixels.size())};
  set.pixels = pixels;
  set.labels = {0};
  return set;
}

TEST(PixelBuffer, CopiesMovesAndCompares) {
  PixelBuffer a = {1, 2, 3};
  PixelBuffer copy = a;
  EXPECT_EQ(copy, a);
  copy[1] = 9;
  EXPECT_FALSE(copy == a);
  EXPECT_EQ(a[1], 2);
  const std::uint8_t* place = a.data();
  const PixelBuffer moved = std::move(a);
  EXPECT_EQ(moved.data(), place);
  EXPECT_EQ(moved, (std::vector<std::uint8_t>{1, 2, 3}));
  a = moved;
  EXPECT_EQ(a, moved);
  EXPECT_NE(a.data(), moved.data());
  PixelBuffer assigned = {5};
  assigned = PixelBuffer{1, 2};
  EXPECT_EQ(assigned, (PixelBuffer{1, 2}));
  EXPECT_EQ(PixelBuffer(3, 7), (PixelBuffer{7, 7, 7}));
  EXPECT_TRUE(PixelBuffer().empty());
  EXPECT_EQ(PixelBuffer(), PixelBuffer(std::vector<std::uint8_t>{}));
}

TEST(PixelBuffer, DropsAPrefixWithoutMovingTheRest) {
  PixelBuffer buffer = {1, 2, 3, 4};
  const std::uint8_t* third = buffer.data() + 2;
  buffer.remove_prefix(2);
  EXPECT_EQ(buffer.data(), third);
  EXPECT_EQ(buffer, (PixelBuffer{3, 4}));
  const PixelBuffer copy = buffer;
  EXPECT_EQ(copy, (PixelBuffer{3, 4}));
  buffer.remove_prefix(2);
  EXPECT_TRUE(buffer.empty());
}

TEST(Normalisation, PixelScaleFollowsTheFormulaToItsRoundings) {
  const PixelScale scale = Normalisation{0.1307, 0.3081}.pixel_scale();
  for (int pixel = 0; pixel < 256; ++pixel)
    EXPECT_NEAR(scale.value(static_cast<std::uint8_t>(pixel)), (pixel / 255.0 - 0.1307) / 0.3081, 4e-7) << pixel;
  EXPECT_EQ(scale.value(0), static_cast<float>(-0.1307 / 0.3081));
}

TEST(Normalisation, PixelUndoesThePixelScale) {
  const Normalisation normalisation = {0.1307, 0.3081};
  const PixelScale scale = normalisation.pixel_scale();
  for (int pixel = 0; pixel < 256; ++pixel)
    EXPECT_EQ(normalisation.pixel(scale.value(static_cast<std::uint8_t>(pixel))), pixel);
  EXPECT_EQ(normalisation.pixel(-0.43), 0);
  EXPECT_EQ(normalisation.pixel(1e9), 255);
  EXPECT_EQ(normalisation.pixel(std::nan("")), 0);
  EXPECT_EQ((Normalisation{0, 255}.pixel(100.4 / 255 / 255)), 100);
}

TEST(Normalisation, OfHalfBlackHalfWhite) {
  EXPECT_EQ(compute_normalisation(image_set({0, 255})), (Normalisation{0.5, 0.5}));
}

// By hand: mean 2 and variance 2/3 of 1, 2, 3; 2/255 = 0.00784314, sqrt(2/3)/255 = 0.00320194.
TEST(Normalisation, HasFourDigitsOfTheStandardDeviation) {
  EXPECT_EQ(compute_normalisation(image_set({1, 2, 3})), (Normalisation{0.007843, 0.003202}));
}

// Every length around the width of the counting loop, against the textbook's two passes.
TEST(Normalisation, OfAnyLength) {
  for (std::size_t length = 2; length < 40; ++length) {
    std::vector<std::uint8_t> pixels(length);
    for (std::size_t i = 0; i < length; ++i) pixels[i] = static_cast<std::uint8_t>(i * 37 + 11);
    const double mean = std::accumulate(pixels.begin(), pixels.end(), 0.0) / static_cast<double>(length);
    double squares = 0;
    for (const std::uint8_t pixel : pixels) squares += (pixel - mean) * (pixel - mean);
    const double std = std::sqrt(squares / static_cast<double>(length)) / 255;
    const Normalisation got = compute_normalisation(image_set(pixels));
    const double unit = std < 0.1 ? 1e-5 : 1e-4;
    EXPECT_NEAR(got.mean, mean / 255, 0.5001 * unit) << length;
    EXPECT_NEAR(got.std, std, 0.5001 * unit) << length;
    EXPECT_NEAR(got.std / unit, std::round(got.std / unit), 1e-9) << length;
  }
}

TEST(Normalisation, OfEqualPixelsHasStandardDeviationOne) {
  EXPECT_EQ(compute_normalisation(image_set(std::vector<std::uint8_t>(100, 0))), (Normalisation{0, 1}));
  EXPECT_EQ(compute_normalisation(image_set(std::vector<std::uint8_t>(100, 255))), (Normalisation{1, 1}));
}

TEST(Normalisation, OfOnePixelThatDiffers) {
  std::vector<std::uint8_t> pixels(1000000, 0);
  pixels.back() = 1;
  const Normalisation got = compute_normalisation(image_set(pixels));
  EXPECT_EQ(got.std, 3.922e-06);
  EXPECT_EQ(got.mean, 4e-09);
}

constexpr std::array<std::string_view, 4> names = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                                   "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};

class DataDirectory : public testing::Test {
 protected:
  void write_all() {
    static_cast<void>(directory_.write(names[0], idx_bytes({6, 4, 5})));
    static_cast<void>(directory_.write(names[1], idx_bytes({6})));
    static_cast<void>(directory_.write(names[2], gzip(idx_bytes({2, 4, 5}, 50))));
    static_cast<void>(directory_.write(names[3], idx_bytes({2}, 3)));
  }

  void touch(std::string_view name) { static_cast<void>(directory_.write(name, "")); }

  test::TemporaryDirectory directory_;
};

TEST_F(DataDirectory, LoadsBothSetsUnderTheDirectorysName) {
  write_all();
  const Dataset dataset = load_dataset(directory_.path());
  EXPECT_EQ(dataset.name, directory_.path().filename().string());
  EXPECT_EQ(dataset.training->count, 6);
  EXPECT_EQ(dataset.training->shape, (ImageShape{1, 4, 5}));
  EXPECT_EQ(dataset.test->count, 2);
  EXPECT_EQ(*dataset.test->image(0), 50);
  EXPECT_EQ(dataset.test->labels, (std::vector<std::uint8_t>{3, 4}));
}

TEST_F(DataDirectory, ATrailingSlashDoesNotChangeTheName) {
  write_all();
  EXPECT_EQ(load_dataset(directory_.path() / "").name, directory_.path().filename().string());
  EXPECT_EQ(load_dataset(directory_.path() / ".").name, directory_.path().filename().string());
}

TEST_F(DataDirectory, NamesWithADotOrOfRank4OrCompressed) {
  touch("train-images.idx3-ubyte");
  touch("train-labels.idx1-ubyte.gz");
  touch("t10k-images-idx4-ubyte.gz");
  touch("t10k-labels-idx1-ubyte");
  const IdxPaths paths = find_idx_files(directory_.path());
  EXPECT_EQ(paths.training_images, directory_ / "train-images.idx3-ubyte");
  EXPECT_EQ(paths.training_labels, directory_ / "train-labels.idx1-ubyte.gz");
  EXPECT_EQ(paths.test_images, directory_ / "t10k-images-idx4-ubyte.gz");
  EXPECT_EQ(paths.test_labels, directory_ / "t10k-labels-idx1-ubyte");
}

TEST_F(DataDirectory, PlainFilesWinOverCompressedOnes) {
  for (const std::string_view name : names) touch(std::string(name) + ".gz");
  touch("train-images.idx3-ubyte");
  const IdxPaths paths = find_idx_files(directory_.path());
  EXPECT_EQ(paths.training_images, directory_ / "train-images.idx3-ubyte");
  EXPECT_EQ(paths.training_labels, directory_ / "train-labels-idx1-ubyte.gz");
}

TEST_F(DataDirectory, TheFirstMissingFileIsNamedWithWhatWasLookedFor) {
  const std::array<std::string_view, 4> what = {"training images", "training labels", "test images", "test labels"};
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string message = error_message([&] { find_idx_files(directory_.path()); });
    EXPECT_THAT(message, HasSubstr(in_quotes(directory_.path()) + ": no " + std::string(what.at(i))));
    EXPECT_THAT(message, HasSubstr(std::string(names.at(i))));
    EXPECT_THAT(message, HasSubstr(".gz"));
    touch(names.at(i));
  }
  EXPECT_NO_THROW(find_idx_files(directory_.path()));
}

TEST_F(DataDirectory, NoDirectory) {
  EXPECT_EQ(error_message([&] { load_dataset(directory_ / "absent"); }),
            in_quotes(directory_ / "absent") + ": no such directory");
  const fs::path file = directory_.write("file", "");
  EXPECT_EQ(error_message([&] { load_dataset(file); }), in_quotes(file) + ": expected a directory, got a file");
}

TEST_F(DataDirectory, TrainingAndTestImagesOfDifferentSizes) {
  write_all();
  const fs::path test_images = directory_.write(names[2], idx_bytes({2, 5, 4}));
  EXPECT_EQ(error_message([&] { load_dataset(directory_.path()); }),
            "image sizes differ: " + in_quotes(directory_ / names[0]) + " holds images of 1x4x5, " +
                in_quotes(test_images) + " of 1x5x4");
}

// Whichever half is broken, its error comes out of its thread.
TEST_F(DataDirectory, ErrorsOfEitherHalf) {
  for (const std::string_view name : names) {
    write_all();
    const fs::path broken = directory_.write(name, "");
    EXPECT_EQ(error_message([&] { load_dataset(directory_.path()); }), in_quotes(broken) + ": the file is empty");
  }
}

TEST_F(DataDirectory, FingerprintSeesEveryPart) {
  write_all();
  const Dataset dataset = load_dataset(directory_.path());
  const std::uint32_t original = fingerprint(dataset);
  EXPECT_EQ(original, fingerprint(load_dataset(directory_.path())));

  const auto with = [&dataset](auto change) {
    ImageSet changed = *dataset.test;
    change(changed);
    return fingerprint({"", dataset.training, std::make_shared<const ImageSet>(std::move(changed))});
  };
  EXPECT_EQ(with([](ImageSet& /*set*/) {}), original);
  EXPECT_NE(with([](ImageSet& set) { set.pixels[39] ^= 1; }), original);
  EXPECT_NE(with([](ImageSet& set) { set.labels[1] ^= 1; }), original);
  EXPECT_NE(with([](ImageSet& set) { set.shape = {1, 5, 4}; }), original);
  EXPECT_NE(fingerprint({"", dataset.test, dataset.training}), original);
}

// The expected numbers were counted by other means: gzip and Python.
class Mnist : public testing::Test {
 protected:
  static void SetUpTestSuite() { dataset = std::make_unique<const Dataset>(load_mnist()); }
  static void TearDownTestSuite() { dataset.reset(); }

  static inline std::unique_ptr<const Dataset> dataset;
};

std::vector<int> class_counts(const ImageSet& set) {
  std::vector<int> counts(10);
  for (const std::uint8_t label : set.labels) ++counts.at(label);
  return counts;
}

std::int64_t pixel_sum(const ImageSet& set) {
  return std::accumulate(set.pixels.begin(), set.pixels.end(), std::int64_t{0});
}

TEST_F(Mnist, Training) {
  const ImageSet& training = *dataset->training;
  EXPECT_EQ(dataset->name, "mnist");
  EXPECT_EQ(training.count, 60000);
  EXPECT_EQ(training.shape, (ImageShape{1, 28, 28}));
  EXPECT_EQ(training.pixels.size(), 47040000U);
  EXPECT_EQ(training.labels[0], 5);
  EXPECT_EQ(class_counts(training), (std::vector<int>{5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949}));
  EXPECT_EQ(pixel_sum(training), 1567298545);
}

TEST_F(Mnist, Test) {
  const ImageSet& test = *dataset->test;
  EXPECT_EQ(test.count, 10000);
  EXPECT_EQ(test.shape, (ImageShape{1, 28, 28}));
  EXPECT_EQ(test.pixels.size(), 7840000U);
  EXPECT_EQ(test.labels[0], 7);
  EXPECT_EQ(class_counts(test), (std::vector<int>{980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009}));
  EXPECT_EQ(pixel_sum(test), 264923200);
}

TEST_F(Mnist, Normalisation) { EXPECT_EQ(compute_normalisation(*dataset->training), (Normalisation{0.1307, 0.3081})); }

// Sets an environment variable for as long as it lives.
class EnvironmentVariable {
 public:
  EnvironmentVariable(const char* name, const fs::path& value) : name_(name) { setenv(name, value.c_str(), 1); }
  EnvironmentVariable(const EnvironmentVariable&) = delete;
  EnvironmentVariable& operator=(const EnvironmentVariable&) = delete;
  ~EnvironmentVariable() { unsetenv(name_); }

 private:
  const char* name_;
};

class AlteredMnist : public testing::Test {
 protected:
  AlteredMnist() {
    fs::create_directory(directory_ / "mnist");
    for (const std::string_view name : names)
      fs::copy_file(fs::path(TOUCHSTONE_SOURCE_DIR) / "data/mnist" / file_name(name), path_of(name));
  }

  static std::string file_name(std::string_view name) { return std::string(name) + ".gz"; }
  [[nodiscard]] fs::path path_of(std::string_view name) const { return directory_ / "mnist" / file_name(name); }

  test::TemporaryDirectory directory_;
  EnvironmentVariable variable_{"TOUCHSTONE_DATA_DIR", directory_.path()};
};

TEST_F(AlteredMnist, IsUsedWhereTheVariableSaysIfUnaltered) {
  fs::remove(path_of(names[3]));
  EXPECT_EQ(error_message(load_mnist), in_quotes(path_of(names[3])) + ": no such file");
  fs::copy_file(fs::path(TOUCHSTONE_SOURCE_DIR) / "data/mnist" / file_name(names[3]), path_of(names[3]));
  EXPECT_EQ(load_mnist().test->count, 10000);
}

TEST_F(AlteredMnist, IsRefused) {
  const std::string labels = idx_bytes({10000});
  static_cast<void>(directory_.write("mnist/" + file_name(names[3]), gzip(labels)));
  EXPECT_THAT(error_message(load_mnist),
              HasSubstr(in_quotes(path_of(names[3])) + ": checksum of the contents: expected 0x4AB9EFF9, got 0x"));
  static_cast<void>(
      directory_.write("mnist/" + file_name(names[3]), gzip(labels.substr(0, 100)) + gzip(labels.substr(100))));
  EXPECT_THAT(error_message(load_mnist), HasSubstr("got several gzip members"));
}

TEST_F(AlteredMnist, FallsBackOnTheNextPlaceWhereTheDirectoryHoldsNone) {
  fs::remove_all(directory_ / "mnist");
  EXPECT_EQ(load_mnist().training->count, 60000);
}

}  // namespace
}  // namespace touchstone
