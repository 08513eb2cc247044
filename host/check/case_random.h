// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "host/check/guarded_array.h"

namespace touchstone::check {

/// The random numbers of one case: the stream that the seed, the operation and the case's number pick, so that any
/// case is repeated without the others.
class CaseRandom {
 public:
  CaseRandom(std::uint64_t seed, std::string_view operation, std::int64_t index);

  [[nodiscard]] std::uint32_t word();
  /// An integer in lowest..highest, both included.
  [[nodiscard]] std::int64_t between(std::int64_t lowest, std::int64_t highest);
  [[nodiscard]] bool one_in(std::int64_t chances) { return between(1, chances) == 1; }
  /// In [0, 1), a multiple of 2^-24.
  [[nodiscard]] float unit();
  /// A size that is worth a test: small, or one below, at or above a likely tile or vector width; at most `largest`.
  [[nodiscard]] std::int64_t size(std::int64_t largest);

  template <class T>
  [[nodiscard]] T pick(std::initializer_list<T> choices) {
    return choices.begin()[between(0, static_cast<std::int64_t>(choices.size()) - 1)];
  }

  /// Whole numbers from -magnitude to magnitude.
  [[nodiscard]] GuardedArray<float> integers(std::int64_t count, std::int64_t magnitude);
  /// Reals in [-4, 4) with up to 24 significant bits, multiples of 2^-26: no product of two underflows.
  [[nodiscard]] GuardedArray<float> reals(std::int64_t count);
  /// Bytes below `limit`, which is at most 256.
  [[nodiscard]] GuardedArray<std::uint8_t> bytes(std::int64_t count, std::int64_t limit);

 private:
  std::uint64_t seed_;
  std::uint32_t stream_;
  std::uint64_t next_block_;
  std::array<std::uint32_t, 4> words_{};
  std::size_t used_ = 4;
};

}  // namespace touchstone::check
