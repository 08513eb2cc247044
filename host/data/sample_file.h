// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace touchstone {

/// Samples as a file holds them, one a row.
struct SampleMatrix {
  std::int64_t count = 0;
  std::int64_t dimensions = 0;
  std::vector<double> values;  ///< [count,dimensions]
};

/// Reads samples: a NumPy array (.npy, version 1 to 3, float32 or float64, [N,K], or [N] for one dimension), or text
/// with a sample a line and its numbers between commas, semicolons or blanks. Told apart by content. Throws Error
/// naming the file, the place, what was expected and what came.
SampleMatrix load_samples(const std::filesystem::path& file);

/// The beginning of a NumPy array (.npy, version 1.0) of float32 [count,dimensions]; its elements follow, row by row.
std::string npy_header(std::int64_t count, std::int64_t dimensions);

/// Whether the bytes begin as a NumPy array does.
bool is_npy(std::span<const std::uint8_t> bytes);

// What load_samples() calls; `file` is for messages.
SampleMatrix decode_npy(const std::filesystem::path& file, std::span<const std::uint8_t> bytes);
SampleMatrix decode_csv(const std::filesystem::path& file, std::span<const std::uint8_t> bytes);

}  // namespace touchstone
