// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "touchstone/dataset.h"
#include "touchstone/pixel_buffer.h"

namespace touchstone {

// The IDX format: two zero bytes, the element type, the rank, each size as 32 bits big-endian, then the elements, the
// last index running fastest. (http://yann.lecun.com/exdb/mnist gave it.)

/// What an IDX file is read as: decides which ranks it may have.
enum class IdxContent : std::uint8_t {
  images,  ///< [N,H,W] or [N,C,H,W]
  labels,  ///< [N]
};

/// An IDX file of unsigned bytes, read.
struct IdxFile {
  std::filesystem::path path;
  std::vector<std::uint32_t> sizes;
  PixelBuffer elements;
  /// The CRC-32 of the whole uncompressed file, where reading it gave it away: gzip files of one member.
  std::optional<std::uint32_t> crc32;
};

/// Reads an IDX file, plain or gzip-compressed by its first bytes. Memory is taken only once the header has been held
/// against the size of the file. Throws Error naming the file, the field, what was expected and what came.
IdxFile read_idx(const std::filesystem::path& path, IdxContent content);

/// The image set of images and labels. Throws Error where their counts differ.
ImageSet make_image_set(IdxFile images, const IdxFile& labels);

/// Looks at each of a data set's files before it is used; throws Error where something is wrong with it.
using IdxInspector = void (*)(const IdxFile& file);

/// As load_dataset(paths, name), showing each file to `inspect`.
Dataset load_inspected_dataset(const IdxPaths& paths, std::string name, IdxInspector inspect);

}  // namespace touchstone
