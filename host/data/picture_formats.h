// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "touchstone/image.h"

namespace touchstone {

/// Throws Error unless a picture of this size is one that Touchstone reads. Asked before memory is taken for it.
void check_picture_size(const std::filesystem::path& file, std::uint64_t width, std::uint64_t height);

/// Whether data begin as a PNG file does; and the picture in such data. `file` is for messages.
bool is_png(std::span<const std::uint8_t> data);
Picture decode_png(const std::filesystem::path& file, std::span<const std::uint8_t> data);
/// The picture as a PNG file. Throws Error where libpng fails.
std::vector<std::uint8_t> encode_png(const Picture& picture);

/// Whether data begin as a PGM file does (P2 in decimal, P5 in binary); and the picture in such data.
bool is_pgm(std::span<const std::uint8_t> data);
Picture decode_pgm(const std::filesystem::path& file, std::span<const std::uint8_t> data);

}  // namespace touchstone
