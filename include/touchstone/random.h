// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace touchstone {

/// What a random number is for: a part of the generator's key, so that no two uses share numbers.
enum class RandomPurpose : std::uint32_t {
  initialisation = 1,
  shuffle = 2,
  validation = 3,
  augmentation = 4,
  check = 5,
  gaussian = 6,   ///< draws from a Gaussian
  resampling = 7  ///< permutations of two samples
};

/// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): a keyed bijection of
/// 128-bit counters, so that any number of the stream is computed from its place alone, on any device.
constexpr std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter,
                                                  std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = std::uint64_t{0xD2511F53U} * counter[0];
    const std::uint64_t product1 = std::uint64_t{0xCD9E8D57U} * counter[2];
    counter = {static_cast<std::uint32_t>(product1 >> 32U) ^ counter[1] ^ key[0], static_cast<std::uint32_t>(product1),
               static_cast<std::uint32_t>(product0 >> 32U) ^ counter[3] ^ key[1], static_cast<std::uint32_t>(product0)};
    key[0] += 0x9E3779B9U;
    key[1] += 0xBB67AE85U;
  }
  return counter;
}

/// Four random words: block `block` of the stream for (seed, purpose, stream); `stream` is the epoch for
/// shuffling and the tensor's number for initialisation.
constexpr std::array<std::uint32_t, 4> random_words(std::uint64_t seed, RandomPurpose purpose, std::uint32_t stream,
                                                    std::uint64_t block) {
  return philox4x32({static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32U), stream,
                     static_cast<std::uint32_t>(purpose)},
                    {static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32U)});
}

/// Word `index` of the stream for (seed, purpose, stream): element index % 4 of block index / 4.
constexpr std::uint32_t random_word(std::uint64_t seed, RandomPurpose purpose, std::uint32_t stream,
                                    std::uint64_t index) {
  return random_words(seed, purpose, stream, index / 4)[index % 4];
}

/// A float in [0, 1) from the upper 24 bits of a random word: every value is a multiple of 2^-24.
constexpr float uniform_float(std::uint32_t word) { return static_cast<float>(word >> 8U) * 0x1p-24F; }

/// The order in which epoch `epoch` visits `count` samples: a stable sort of 0..count-1 by
/// random_word(seed, purpose, epoch, index). The same on every device.
std::vector<std::uint32_t> shuffled_order(std::uint64_t seed, RandomPurpose purpose, std::uint32_t epoch,
                                          std::uint32_t count);

}  // namespace touchstone
