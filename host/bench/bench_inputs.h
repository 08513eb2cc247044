// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "touchstone/pixel_buffer.h"
#include "touchstone/random.h"

namespace touchstone::bench {

/// Arrays of random numbers, each from a stream of its own: the same seed gives the same arrays, one after the other.
class BenchInputs {
 public:
  explicit BenchInputs(std::uint64_t seed) : seed_(seed) {}

  /// Numbers in [-1, 1).
  [[nodiscard]] std::vector<float> reals(std::int64_t count) {
    return draw<float>(count, [](std::uint32_t word) { return 2 * uniform_float(word) - 1; });
  }
  /// Numbers in [0, 1).
  [[nodiscard]] std::vector<float> fractions(std::int64_t count) { return draw<float>(count, &uniform_float); }
  /// Bytes of any value.
  [[nodiscard]] PixelBuffer pixels(std::int64_t count) {
    PixelBuffer bytes(static_cast<std::size_t>(count));
    ++stream_;
    constexpr std::size_t block_bytes = 16;
    for (std::size_t first = 0; first < bytes.size(); first += block_bytes) {
      const auto words = random_words(seed_, RandomPurpose::check, stream_, first / block_bytes);
      std::memcpy(bytes.data() + first, words.data(), std::min(block_bytes, bytes.size() - first));
    }
    return bytes;
  }
  /// Whole numbers below `limit`.
  template <class Whole>
  [[nodiscard]] std::vector<Whole> wholes(std::int64_t count, std::uint32_t limit) {
    return draw<Whole>(
        count, [limit](std::uint32_t word) { return static_cast<Whole>((std::uint64_t{word} * limit) >> 32U); });
  }

 private:
  template <class Number, class Convert>
  std::vector<Number> draw(std::int64_t count, const Convert& convert) {
    std::vector<Number> numbers(static_cast<std::size_t>(count));
    ++stream_;
    for (std::size_t first = 0; first < numbers.size(); first += 4) {
      const auto words = random_words(seed_, RandomPurpose::check, stream_, first / 4);
      for (std::size_t i = 0; i < std::min<std::size_t>(4, numbers.size() - first); ++i) {
        numbers[first + i] = convert(words[i]);
      }
    }
    return numbers;
  }

  std::uint64_t seed_;
  std::uint32_t stream_ = 0;
};

}  // namespace touchstone::bench
