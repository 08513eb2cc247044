// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

namespace touchstone {

/// The element types that are read and written.
enum class TensorType : std::uint8_t { float32, float64 };

/// A named tensor, its values held as doubles (which hold every float32 exactly).
struct Tensor {
  TensorType type = TensorType::float32;
  std::vector<std::int64_t> shape;
  std::vector<double> values;

  [[nodiscard]] std::string shape_text() const;  ///< "[8, 1, 5, 5]"
};

/// The contents of a safetensors file: an 8-byte little-endian header length, a JSON header, then the tensors' bytes.
/// Tensors are written in the order of their names, so that equal contents give equal bytes.
struct Safetensors {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::string> metadata;

  /// Written beside and renamed. Throws Error naming the file.
  void save(const std::filesystem::path& file) const;

  /// Reads and checks a file: header length, JSON, element types, and that the tensors' offsets fit their shapes and
  /// cover the data without gap or overlap. Throws Error naming the file and the tensor.
  static Safetensors load(const std::filesystem::path& file);
};

}  // namespace touchstone
