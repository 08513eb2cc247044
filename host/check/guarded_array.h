// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace touchstone::check {

/// An array that begins as bytes of 0xFF (NaN in a float, -1 in an index) with guard bands of the same bytes before and
/// after it. As an output it shows what was not written and what was written beside it; as an input it turns whatever
/// is read beside it into NaN. Its first element stands one element off every vector boundary.
template <class T>
class GuardedArray {
 public:
  explicit GuardedArray(std::int64_t count = 0)
      : count_(static_cast<std::size_t>(count)), storage_(count_ + 2 * guard_elements) {
    std::memset(storage_.data(), 0xFF, storage_.size() * sizeof(T));
  }

  explicit GuardedArray(std::span<const T> values) : GuardedArray(static_cast<std::int64_t>(values.size())) {
    std::copy(values.begin(), values.end(), data());
  }

  [[nodiscard]] T* data() { return storage_.data() + guard_elements; }
  [[nodiscard]] const T* data() const { return storage_.data() + guard_elements; }
  [[nodiscard]] std::int64_t size() const { return static_cast<std::int64_t>(count_); }
  [[nodiscard]] std::span<T> values() { return {data(), count_}; }
  [[nodiscard]] std::span<const T> values() const { return {data(), count_}; }
  [[nodiscard]] T& operator[](std::int64_t index) { return data()[index]; }
  [[nodiscard]] const T& operator[](std::int64_t index) const { return data()[index]; }

  [[nodiscard]] bool guards_intact() const {
    return untouched(storage_.data(), guard_elements) && untouched(data() + count_, guard_elements);
  }

  /// Whether element `index` still holds the bytes it began with.
  [[nodiscard]] bool unwritten(std::int64_t index) const { return untouched(data() + index, 1); }

  /// Equal in every bit.
  [[nodiscard]] bool same_bits(const GuardedArray& other) const {
    return count_ == other.count_ &&
           std::memcmp(storage_.data(), other.storage_.data(), storage_.size() * sizeof(T)) == 0;
  }

 private:
  static constexpr std::size_t guard_elements = 65;

  static bool untouched(const T* first, std::size_t count) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(first);
    return std::all_of(bytes, bytes + count * sizeof(T), [](unsigned char byte) { return byte == 0xFF; });
  }

  std::size_t count_;
  std::vector<T> storage_;
};

/// The elements as doubles: what the reference takes.
template <class T>
std::vector<double> to_double(const GuardedArray<T>& array) {
  return {array.values().begin(), array.values().end()};
}

}  // namespace touchstone::check
