// SPDX-License-Identifier: Apache-2.0
#include "touchstone/random.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

namespace touchstone {
namespace {

// The known answers of the authors' Random123 library for philox4x32-10.
TEST(Philox, KnownAnswers) {
  using Counter = std::array<std::uint32_t, 4>;
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}), (Counter{0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8}));
  constexpr std::uint32_t ones = 0xFFFFFFFF;
  EXPECT_EQ(philox4x32({ones, ones, ones, ones}, {ones, ones}),
            (Counter{0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD}));
  EXPECT_EQ(philox4x32({0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344}, {0xA4093822, 0x299F31D0}),
            (Counter{0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1}));
}

TEST(RandomWord, IsAnElementOfItsBlock) {
  const std::array<std::uint32_t, 4> block = random_words(7, RandomPurpose::check, 3, 5);
  for (std::uint64_t i = 0; i < 4; ++i) EXPECT_EQ(random_word(7, RandomPurpose::check, 3, 20 + i), block.at(i));
}

TEST(RandomWord, DependsOnEachPartOfItsKey) {
  constexpr std::uint64_t far = std::uint64_t{1} << 40U;
  const std::vector<std::uint32_t> words = {
      random_word(1, RandomPurpose::check, 0, 0), random_word(1 + far, RandomPurpose::check, 0, 0),
      random_word(2, RandomPurpose::check, 0, 0), random_word(1, RandomPurpose::shuffle, 0, 0),
      random_word(1, RandomPurpose::check, 1, 0), random_word(1, RandomPurpose::check, 0, 1),
      random_word(1, RandomPurpose::check, 0, 4), random_word(1, RandomPurpose::check, 0, 4 * far)};
  for (std::size_t i = 0; i < words.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) EXPECT_NE(words[i], words[j]) << i << ' ' << j;
}

TEST(UniformFloat, CoversTheHalfOpenUnitInterval) {
  EXPECT_EQ(uniform_float(0), 0.0F);
  EXPECT_EQ(uniform_float(0xFF), 0.0F);
  EXPECT_EQ(uniform_float(0x100), 0x1p-24F);
  EXPECT_EQ(uniform_float(0x80000000), 0.5F);
  EXPECT_EQ(uniform_float(0xFFFFFFFF), 1.0F - 0x1p-24F);
}

class ShuffledOrder : public testing::TestWithParam<std::uint32_t> {};

TEST_P(ShuffledOrder, IsAStableSortOfTheKeys) {
  const std::uint32_t count = GetParam();
  constexpr std::uint64_t seed = 0x123456789ABCDEF0;
  for (std::uint32_t epoch = 0; epoch < 3; ++epoch) {
    std::vector<std::uint32_t> keys(count);
    for (std::uint32_t i = 0; i < count; ++i) keys[i] = random_word(seed, RandomPurpose::shuffle, epoch, i);
    std::vector<std::uint32_t> expected(count);
    std::iota(expected.begin(), expected.end(), 0U);
    std::stable_sort(expected.begin(), expected.end(),
                     [&keys](std::uint32_t a, std::uint32_t b) { return keys[a] < keys[b]; });
    EXPECT_EQ(shuffled_order(seed, RandomPurpose::shuffle, epoch, count), expected);
  }
}

// 300,000 keys of 32 bits: ten equal pairs are to be expected, so that stability matters.
INSTANTIATE_TEST_SUITE_P(Counts, ShuffledOrder,
                         testing::Values(0U, 1U, 2U, 3U, 4U, 5U, 63U, 64U, 65U, 2047U, 2048U, 2049U, 60000U, 300000U));

TEST(ShuffledOrderOf, TheSameSeedAndEpochIsTheSame) {
  const std::vector<std::uint32_t> order = shuffled_order(1, RandomPurpose::shuffle, 1, 1000);
  EXPECT_EQ(order, shuffled_order(1, RandomPurpose::shuffle, 1, 1000));
  EXPECT_NE(order, shuffled_order(2, RandomPurpose::shuffle, 1, 1000));
  EXPECT_NE(order, shuffled_order(1, RandomPurpose::shuffle, 2, 1000));
  EXPECT_NE(order, shuffled_order(1, RandomPurpose::validation, 1, 1000));
}

}  // namespace
}  // namespace touchstone
