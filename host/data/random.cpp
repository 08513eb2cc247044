// SPDX-License-Identifier: Apache-2.0
#include "touchstone/random.h"

#include <array>
#include <cstddef>
#include <utility>

namespace touchstone {
namespace {

// A key above the index it came from: sorting by the upper half alone, stably, is the order asked for.
using KeyedIndex = std::uint64_t;

// Least significant digit first: three stable counting sorts by 11, 11 and 10 bits of the key. The 2048 counters of a
// pass fit into the L1 cache, and one pass less than with bytes is worth more than smaller tables.
constexpr unsigned digit_bits = 11;
constexpr std::size_t digit_values = std::size_t{1} << digit_bits;
constexpr std::size_t passes = 3;

using DigitTable = std::array<std::uint32_t, digit_values>;

constexpr std::size_t digit(KeyedIndex item, std::size_t pass) {
  return static_cast<std::size_t>(item >> (32U + digit_bits * pass)) & (digit_values - 1);
}

std::vector<KeyedIndex> draw_keys(std::uint64_t seed, RandomPurpose purpose, std::uint32_t epoch, std::uint32_t count) {
  std::vector<KeyedIndex> items(count);
  for (std::uint64_t first = 0; first < count; first += 4) {
    const std::array<std::uint32_t, 4> words = random_words(seed, purpose, epoch, first / 4);
    for (std::uint64_t i = first; i < count && i < first + 4; ++i) items[i] = KeyedIndex{words[i - first]} << 32U | i;
  }
  return items;
}

// Where the items of each digit value begin, for each pass.
std::array<DigitTable, passes> digit_starts(const std::vector<KeyedIndex>& items) {
  std::array<DigitTable, passes> tables = {};
  for (const KeyedIndex item : items)
    for (std::size_t pass = 0; pass < passes; ++pass) ++tables[pass][digit(item, pass)];
  for (DigitTable& table : tables) {
    std::uint32_t start = 0;
    for (std::uint32_t& entry : table) start += std::exchange(entry, start);
  }
  return tables;
}

}  // namespace

std::vector<std::uint32_t> shuffled_order(std::uint64_t seed, RandomPurpose purpose, std::uint32_t epoch,
                                          std::uint32_t count) {
  std::vector<KeyedIndex> items = draw_keys(seed, purpose, epoch, count);
  std::array<DigitTable, passes> starts = digit_starts(items);
  std::vector<KeyedIndex> sorted(count);
  for (std::size_t pass = 0; pass + 1 < passes; ++pass) {
    for (const KeyedIndex item : items) sorted[starts[pass][digit(item, pass)]++] = item;
    items.swap(sorted);
  }
  std::vector<std::uint32_t> order(count);
  for (const KeyedIndex item : items)
    order[starts[passes - 1][digit(item, passes - 1)]++] = static_cast<std::uint32_t>(item);
  return order;
}

}  // namespace touchstone
