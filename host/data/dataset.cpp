// SPDX-License-Identifier: Apache-2.0
#include "touchstone/dataset.h"

#include <array>
#include <cstddef>
#include <functional>
#include <future>
#include <initializer_list>
#include <string_view>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <libdeflate.h>

#include "host/data/idx.h"
#include "host/data/input_file.h"
#include "touchstone/error.h"

namespace touchstone {
namespace {

void inspect_nothing(const IdxFile& /*file*/) {}

ImageSet load_pair(const std::filesystem::path& images, const std::filesystem::path& labels, IdxInspector inspect) {
  // The labels first: they are small, and what is wrong with them need not wait for the images.
  const IdxFile label_file = read_idx(labels, IdxContent::labels);
  inspect(label_file);
  IdxFile image_file = read_idx(images, IdxContent::images);
  inspect(image_file);
  return make_image_set(std::move(image_file), label_file);
}

std::string describe(const ImageShape& shape) {
  return fmt::format("{}x{}x{}", shape.channels, shape.height, shape.width);
}

// The file that is called one of `stems`, or that with .gz; plain files win.
std::filesystem::path find_file(const std::filesystem::path& directory, std::string_view what,
                                std::initializer_list<std::string_view> stems) {
  for (const std::string_view suffix : {"", ".gz"})
    for (const std::string_view stem : stems) {
      std::filesystem::path candidate = directory / fmt::format("{}{}", stem, suffix);
      std::error_code ignored;
      if (std::filesystem::exists(candidate, ignored)) return candidate;
    }
  throw Error(
      fmt::format("{}: no {}: looked for {}, each also with .gz", quoted(directory), what, fmt::join(stems, ", ")));
}

std::string name_of(const std::filesystem::path& directory) {
  const std::filesystem::path resolved = std::filesystem::weakly_canonical(directory);
  return resolved.has_filename() ? resolved.filename().string() : "data";
}

// CRC-32 over numbers in little-endian order, whatever the machine's.
std::uint32_t checksum(std::uint32_t crc, std::initializer_list<std::int64_t> values) {
  for (const std::int64_t value : values) {
    std::array<std::uint8_t, 8> bytes = {};
    for (std::size_t i = 0; i < bytes.size(); ++i)
      bytes.at(i) = static_cast<std::uint8_t>(static_cast<std::uint64_t>(value) >> (8 * i));
    crc = libdeflate_crc32(crc, bytes.data(), bytes.size());
  }
  return crc;
}

std::uint32_t checksum(std::uint32_t crc, const ImageSet& set) {
  crc = checksum(crc, {set.count, set.shape.channels, set.shape.height, set.shape.width});
  crc = libdeflate_crc32(crc, set.pixels.data(), set.pixels.size());
  return libdeflate_crc32(crc, set.labels.data(), set.labels.size());
}

}  // namespace

ImageSet make_image_set(IdxFile images, const IdxFile& labels) {
  if (images.sizes[0] != labels.sizes[0])
    throw Error(fmt::format("counts differ: {} holds {} images, {} holds {} labels", quoted(images.path),
                            images.sizes[0], quoted(labels.path), labels.sizes[0]));
  const std::size_t rank = images.sizes.size();
  ImageSet set;
  set.count = images.sizes[0];
  set.shape = {rank == 4 ? images.sizes[1] : 1, images.sizes[rank - 2], images.sizes[rank - 1]};
  set.pixels = std::move(images.elements);
  set.labels.assign(labels.elements.begin(), labels.elements.end());
  return set;
}

Dataset load_inspected_dataset(const IdxPaths& paths, std::string name, IdxInspector inspect) {
  std::future<ImageSet> test_future =
      std::async(std::launch::async, load_pair, std::cref(paths.test_images), std::cref(paths.test_labels), inspect);
  auto training = std::make_shared<const ImageSet>(load_pair(paths.training_images, paths.training_labels, inspect));
  auto test = std::make_shared<const ImageSet>(test_future.get());
  if (training->shape != test->shape)
    throw Error(fmt::format("image sizes differ: {} holds images of {}, {} of {}", quoted(paths.training_images),
                            describe(training->shape), quoted(paths.test_images), describe(test->shape)));
  return {std::move(name), std::move(training), std::move(test)};
}

IdxPaths find_idx_files(const std::filesystem::path& directory) {
  std::error_code ignored;
  if (!std::filesystem::exists(directory, ignored))
    throw Error(fmt::format("{}: no such directory", quoted(directory)));
  if (!std::filesystem::is_directory(directory, ignored))
    throw Error(fmt::format("{}: expected a directory, got a file", quoted(directory)));
  IdxPaths paths;
  paths.training_images = find_file(
      directory, "training images",
      {"train-images-idx3-ubyte", "train-images.idx3-ubyte", "train-images-idx4-ubyte", "train-images.idx4-ubyte"});
  paths.training_labels =
      find_file(directory, "training labels", {"train-labels-idx1-ubyte", "train-labels.idx1-ubyte"});
  paths.test_images = find_file(
      directory, "test images",
      {"t10k-images-idx3-ubyte", "t10k-images.idx3-ubyte", "t10k-images-idx4-ubyte", "t10k-images.idx4-ubyte"});
  paths.test_labels = find_file(directory, "test labels", {"t10k-labels-idx1-ubyte", "t10k-labels.idx1-ubyte"});
  return paths;
}

ImageSet load_idx(const std::filesystem::path& images, const std::filesystem::path& labels) {
  return load_pair(images, labels, inspect_nothing);
}

Dataset load_dataset(const IdxPaths& paths, std::string name) {
  return load_inspected_dataset(paths, std::move(name), inspect_nothing);
}

Dataset load_dataset(const std::filesystem::path& directory) {
  return load_dataset(find_idx_files(directory), name_of(directory));
}

std::uint32_t fingerprint(const Dataset& dataset) { return checksum(checksum(0, *dataset.training), *dataset.test); }

}  // namespace touchstone
