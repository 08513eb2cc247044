// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "emulation/kernel.h"
#include "emulation/options.h"

namespace touchstone::emulation {

/// The bytes that fresh memory and guard bands hold: a word that repeats, or random words. What stands at an address
/// follows from the address, so that a band is checked without a record of it.
class Pattern {
 public:
  Pattern() = default;
  Pattern(Fill fill, Content content, std::uint64_t seed);

  void write(void* begin, std::size_t bytes) const;
  /// The first byte that no longer holds the pattern. Reads poisoned memory.
  [[nodiscard]] std::optional<std::size_t> first_difference(const void* begin, std::size_t bytes) const;

 private:
  [[nodiscard]] std::uint32_t word_at(std::uintptr_t address) const;
  [[nodiscard]] unsigned char byte_at(std::uintptr_t address) const;

  bool random_ = false;
  std::uint32_t word_ = 0;
  std::uint64_t seed_ = 0;
};

/// A well-mixed function of one number (SplitMix64's finaliser).
constexpr std::uint64_t mixed(std::uint64_t value) {
  value += 0x9E3779B97F4A7C15U;
  value = (value ^ (value >> 30U)) * 0xBF58476D1CE4E5B9U;
  value = (value ^ (value >> 27U)) * 0x94D049BB133111EBU;
  return value ^ (value >> 31U);
}

}  // namespace touchstone::emulation
