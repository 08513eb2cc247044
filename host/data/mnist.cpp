// SPDX-License-Identifier: Apache-2.0
// The MNIST that comes with Touchstone: where it is, and that it is unaltered.
#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include <fmt/format.h>

#include "host/data/idx.h"
#include "host/data/input_file.h"
#include "touchstone/dataset.h"
#include "touchstone/error.h"

namespace touchstone {
namespace {

namespace fs = std::filesystem;

struct BundledFile {
  std::string_view name;
  std::uint32_t crc32 = 0;  ///< of the uncompressed file
};

constexpr BundledFile training_images = {"train-images-idx3-ubyte.gz", 0xE9F4D8B3};
constexpr BundledFile training_labels = {"train-labels-idx1-ubyte.gz", 0xE0CB4AD2};
constexpr BundledFile test_images = {"t10k-images-idx3-ubyte.gz", 0x91373BDF};
constexpr BundledFile test_labels = {"t10k-labels-idx1-ubyte.gz", 0x4AB9EFF9};
constexpr std::array<BundledFile, 4> bundled_files = {training_images, training_labels, test_images, test_labels};

// The sizes need no check of their own: they stand in the header, which the checksum covers.
void verify(const IdxFile& file) {
  const std::string name = file.path.filename().string();
  const auto* bundled = std::find_if(bundled_files.begin(), bundled_files.end(),
                                     [&name](const BundledFile& candidate) { return candidate.name == name; });
  if (file.crc32 == bundled->crc32) return;
  const std::string got = file.crc32 ? fmt::format("0x{:08X}", *file.crc32) : "several gzip members";
  throw Error(
      fmt::format("{}: checksum of the contents: expected 0x{:08X}, got {}: this is not the MNIST that comes "
                  "with Touchstone; give its directory to use it as it is",
                  quoted(file.path), bundled->crc32, got));
}

// Whichever is found first does: the checksums make them all the same.
std::vector<fs::path> candidate_directories() {
  std::vector<fs::path> directories;
  if (const char* data = std::getenv("TOUCHSTONE_DATA_DIR"); data != nullptr && *data != '\0')
    directories.push_back(fs::path(data) / "mnist");
  std::error_code error;
  if (const fs::path program = fs::read_symlink("/proc/self/exe", error); !error)
    directories.push_back((program.parent_path() / "../share/touchstone/mnist").lexically_normal());
  directories.emplace_back(TOUCHSTONE_INSTALLED_DATA_DIR "/mnist");
  directories.emplace_back(TOUCHSTONE_SOURCE_DATA_DIR "/mnist");
  return directories;
}

fs::path find_mnist() {
  const std::vector<fs::path> candidates = candidate_directories();
  std::vector<std::string> names;
  for (const fs::path& directory : candidates) {
    std::error_code ignored;
    if (fs::exists(directory / training_images.name, ignored)) return directory;
    names.push_back(quoted(directory));
  }
  throw Error(
      fmt::format("the MNIST that comes with Touchstone was not found: looked in {}; TOUCHSTONE_DATA_DIR may "
                  "name the directory that holds 'mnist'",
                  fmt::join(names, ", ")));
}

}  // namespace

Dataset load_mnist() {
  const fs::path directory = find_mnist();
  return load_inspected_dataset({directory / training_images.name, directory / training_labels.name,
                                 directory / test_images.name, directory / test_labels.name},
                                "mnist", verify);
}

}  // namespace touchstone
