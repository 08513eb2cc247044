// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "touchstone/gather.h"
#include "touchstone/pixel_buffer.h"

namespace touchstone {

/// The size of one image or feature map: channels, height, width.
struct ImageShape {
  std::int64_t channels = 1;
  std::int64_t height = 1;
  std::int64_t width = 1;

  [[nodiscard]] constexpr std::int64_t count() const { return channels * height * width; }

  bool operator==(const ImageShape&) const = default;
};

/// Labelled images as they come from a file: 8 bits a pixel, in [count,C,H,W] order.
struct ImageSet {
  std::int64_t count = 0;
  ImageShape shape;
  PixelBuffer pixels;                ///< [count,C,H,W]
  std::vector<std::uint8_t> labels;  ///< [count]

  [[nodiscard]] const std::uint8_t* image(std::int64_t index) const { return pixels.data() + index * shape.count(); }
};

/// Shared and immutable: executors keep a data set without copying it.
using SharedImageSet = std::shared_ptr<const ImageSet>;

/// How pixels become the network's input: value = (pixel / 255 - mean) / std, one mean and one standard deviation for
/// all channels. Belongs to the model.
struct Normalisation {
  double mean = 0;
  double std = 1;

  /// The same in float32: each constant is rounded, and then each value.
  [[nodiscard]] PixelScale pixel_scale() const;
  /// The pixel value that is nearest to a normalised value; 0 for NaN.
  [[nodiscard]] std::uint8_t pixel(double value) const;

  bool operator==(const Normalisation&) const = default;
};

/// Mean and standard deviation (with divisor n) of the pixels of `images` scaled to 0..1, to four significant digits
/// of the standard deviation (0.1307 and 0.3081 for MNIST); the standard deviation is 1 where all pixels are equal.
Normalisation compute_normalisation(const ImageSet& images);

/// A training set and a test set of images of one size.
struct Dataset {
  std::string name;  ///< "mnist", or the directory's or file's name: for run directories and reports
  SharedImageSet training;
  SharedImageSet test;
};

/// The four files of an IDX data set (the format of MNIST's own files), each plain or gzip-compressed.
struct IdxPaths {
  std::filesystem::path training_images;
  std::filesystem::path training_labels;
  std::filesystem::path test_images;
  std::filesystem::path test_labels;
};

/// The four files with the customary names (train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte,
/// t10k-labels-idx1-ubyte; with a dot in place of the last hyphen but one accepted too, and .gz appended or not) in a
/// directory. Throws Error naming the first that is missing.
IdxPaths find_idx_files(const std::filesystem::path& directory);

/// Reads one pair of IDX files: images of rank 3 [N,H,W] or 4 [N,C,H,W], labels of rank 1 [N], all unsigned bytes.
/// Throws Error naming the file, the field, what was expected and what came.
ImageSet load_idx(const std::filesystem::path& images, const std::filesystem::path& labels);

/// Reads both pairs, in parallel. Throws Error as load_idx, and when training and test images differ in size.
Dataset load_dataset(const IdxPaths& paths, std::string name);

/// The data set in `directory` (find_idx_files), named after it.
Dataset load_dataset(const std::filesystem::path& directory);

/// The MNIST that comes with Touchstone, its contents verified by checksum. Looked for beside the installed program or
/// library (share/touchstone/mnist), then in the source tree it was built from.
Dataset load_mnist();

/// A checksum (CRC-32) over sizes, pixels and labels: tells whether a run is resumed on the data it was started on.
std::uint32_t fingerprint(const Dataset& dataset);

}  // namespace touchstone
