// SPDX-License-Identifier: Apache-2.0
#include "host/model/safetensors.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <fstream>
#include <limits>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "host/model/write_file.h"
#include "touchstone/error.h"

namespace touchstone {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors files are little-endian");

constexpr std::uint64_t longest_header = 100'000'000;  // the limit of the format's own library

std::size_t element_size(TensorType type) { return type == TensorType::float32 ? sizeof(float) : sizeof(double); }

const char* type_name(TensorType type) { return type == TensorType::float32 ? "F32" : "F64"; }

template <typename Float>
void append_values(const std::vector<double>& values, std::vector<std::byte>& bytes) {
  for (const double value : values) {
    const auto element = static_cast<Float>(value);
    const auto* first = reinterpret_cast<const std::byte*>(&element);
    bytes.insert(bytes.end(), first, first + sizeof element);
  }
}

template <typename Float>
std::vector<double> read_values(std::span<const std::byte> bytes) {
  std::vector<double> values(bytes.size() / sizeof(Float));
  for (std::size_t i = 0; i < values.size(); ++i) {
    Float element = 0;
    std::memcpy(&element, bytes.data() + i * sizeof element, sizeof element);
    values[i] = static_cast<double>(element);
  }
  return values;
}

std::vector<std::byte> read_file(const std::filesystem::path& file) {
  std::error_code error;
  if (std::filesystem::is_directory(file, error))
    throw Error(fmt::format("{}: is a directory, not a file", file.string()));
  errno = 0;
  std::ifstream stream(file, std::ios::binary | std::ios::ate);
  if (!stream) throw Error(fmt::format("{}: cannot open: {}", file.string(), std::strerror(errno)));
  std::vector<std::byte> bytes(static_cast<std::size_t>(stream.tellg()));
  stream.seekg(0);
  stream.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  if (!stream) throw Error(fmt::format("{}: cannot read: {}", file.string(), std::strerror(errno)));
  return bytes;
}

/// Takes a file's bytes apart, refusing whatever the format does not allow.
class Reader {
 public:
  explicit Reader(const std::filesystem::path& file) : name_(file.string()), bytes_(read_file(file)) {}

  Safetensors read() {
    const nlohmann::json header = read_header();
    Safetensors contents;
    for (const auto& [key, value] : header.items()) {
      if (key == "__metadata__") {
        contents.metadata = read_metadata(value);
      } else {
        contents.tensors.emplace(key, read_tensor(key, value));
      }
    }
    check_coverage();
    return contents;
  }

 private:
  [[noreturn]] void fail(std::string_view what) const {
    throw Error(fmt::format("{}: not a valid safetensors file: {}", name_, what));
  }

  nlohmann::json read_header() {
    std::uint64_t length = 0;
    if (bytes_.size() < sizeof length)
      fail(fmt::format("it has {} bytes, fewer than the 8 of the header's length", bytes_.size()));
    std::memcpy(&length, bytes_.data(), sizeof length);
    if (length > longest_header || length > bytes_.size() - sizeof length) {
      fail(fmt::format("its header should have {} bytes, but {} follow", length, bytes_.size() - sizeof length));
    }
    const auto* text = reinterpret_cast<const char*>(bytes_.data() + sizeof length);
    data_ = std::span(bytes_).subspan(sizeof length + length);
    nlohmann::json header = nlohmann::json::parse(text, text + length, nullptr, /*allow_exceptions=*/false);
    if (!header.is_object()) fail("its header is not a JSON object");
    return header;
  }

  std::map<std::string, std::string> read_metadata(const nlohmann::json& value) const {
    if (!value.is_object()) fail("`__metadata__` is not a JSON object");
    std::map<std::string, std::string> metadata;
    for (const auto& [key, text] : value.items()) {
      if (!text.is_string()) fail(fmt::format("`__metadata__`: `{}` is not a string", key));
      metadata.emplace(key, text.get<std::string>());
    }
    return metadata;
  }

  /// An array of integers of 0 or more.
  std::vector<std::uint64_t> read_sizes(const std::string& tensor, const nlohmann::json& value,
                                        const char* field) const {
    const auto found = value.find(field);
    if (found == value.end() || !found->is_array())
      fail(fmt::format("tensor `{}`: `{}` is missing or not an array", tensor, field));
    std::vector<std::uint64_t> sizes;
    for (const nlohmann::json& size : *found) {
      if (!size.is_number_unsigned())
        fail(fmt::format("tensor `{}`: `{}` holds something other than sizes", tensor, field));
      sizes.push_back(size.get<std::uint64_t>());
    }
    return sizes;
  }

  TensorType read_type(const std::string& tensor, const nlohmann::json& value) const {
    const auto found = value.find("dtype");
    const std::string type = found != value.end() && found->is_string() ? found->get<std::string>() : "nothing";
    if (type == "F32") return TensorType::float32;
    if (type == "F64") return TensorType::float64;
    fail(fmt::format("tensor `{}`: expected `dtype` F32 or F64, not {}", tensor, type));
  }

  Tensor read_tensor(const std::string& name, const nlohmann::json& value) {
    if (!value.is_object()) fail(fmt::format("tensor `{}` is not described by a JSON object", name));
    Tensor tensor;
    tensor.type = read_type(name, value);
    std::uint64_t size = element_size(tensor.type);
    for (const std::uint64_t extent : read_sizes(name, value, "shape")) {
      if (extent != 0 && size > std::numeric_limits<std::int64_t>::max() / extent)
        fail(fmt::format("tensor `{}`: its shape overflows", name));
      size *= extent;
      tensor.shape.push_back(static_cast<std::int64_t>(extent));
    }
    const std::vector<std::uint64_t> offsets = read_sizes(name, value, "data_offsets");
    if (offsets.size() != 2 || offsets[0] > offsets[1] || offsets[1] > data_.size()) {
      fail(fmt::format("tensor `{}`: its data_offsets [{}] lie outside the {} bytes of data", name,
                       fmt::join(offsets, ", "), data_.size()));
    }
    if (offsets[1] - offsets[0] != size) {
      fail(fmt::format("tensor `{}`: {} of shape {} takes {} bytes, its data_offsets span {}", name,
                       type_name(tensor.type), tensor.shape_text(), size, offsets[1] - offsets[0]));
    }
    ranges_.emplace_back(offsets[0], offsets[1]);
    const std::span<const std::byte> bytes = data_.subspan(offsets[0], size);
    tensor.values = tensor.type == TensorType::float32 ? read_values<float>(bytes) : read_values<double>(bytes);
    return tensor;
  }

  void check_coverage() {
    std::sort(ranges_.begin(), ranges_.end());
    std::uint64_t end = 0;
    for (const auto& [first, last] : ranges_) {
      if (first != end)
        fail(fmt::format("its tensors {} at byte {} of the data", first < end ? "overlap" : "leave a gap", end));
      end = last;
    }
    if (end != data_.size()) fail(fmt::format("{} bytes of data belong to no tensor", data_.size() - end));
  }

  std::string name_;
  std::vector<std::byte> bytes_;
  std::span<const std::byte> data_;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges_;
};

}  // namespace

std::string Tensor::shape_text() const { return fmt::format("[{}]", fmt::join(shape, ", ")); }

void Safetensors::save(const std::filesystem::path& file) const {
  nlohmann::json header = nlohmann::json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::vector<std::byte> data;
  for (const auto& [name, tensor] : tensors) {
    const std::size_t start = data.size();
    tensor.type == TensorType::float32 ? append_values<float>(tensor.values, data)
                                       : append_values<double>(tensor.values, data);
    header[name] = {{"dtype", type_name(tensor.type)}, {"shape", tensor.shape}, {"data_offsets", {start, data.size()}}};
  }
  std::string text = header.dump();
  text.append((8 - text.size() % 8) % 8, ' ');  // so that the data start aligned
  const std::uint64_t length = text.size();
  write_file(file, {std::as_bytes(std::span(&length, 1)), std::as_bytes(std::span(text)), data});
}

Safetensors Safetensors::load(const std::filesystem::path& file) { return Reader(file).read(); }

}  // namespace touchstone
