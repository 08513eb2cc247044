// SPDX-License-Identifier: Apache-2.0
#include "host/check/case_random.h"

#include <algorithm>

#include "touchstone/random.h"

namespace touchstone::check {
namespace {

/// FNV-1a: the stream of an operation depends on its name alone, so that new operations leave the others' cases alone.
std::uint32_t stream_of(std::string_view operation) {
  std::uint32_t hash = 2166136261U;
  for (const char letter : operation) hash = (hash ^ static_cast<unsigned char>(letter)) * 16777619U;
  return hash;
}

}  // namespace

CaseRandom::CaseRandom(std::uint64_t seed, std::string_view operation, std::int64_t index)
    : seed_(seed), stream_(stream_of(operation)), next_block_(static_cast<std::uint64_t>(index) << 32U) {}

std::uint32_t CaseRandom::word() {
  if (used_ == words_.size()) {
    words_ = random_words(seed_, RandomPurpose::check, stream_, next_block_++);
    used_ = 0;
  }
  return words_[used_++];
}

std::int64_t CaseRandom::between(std::int64_t lowest, std::int64_t highest) {
  const auto choices = static_cast<std::uint64_t>(highest - lowest + 1);
  return lowest + static_cast<std::int64_t>((std::uint64_t{word()} * choices) >> 32U);
}

float CaseRandom::unit() { return uniform_float(word()); }

std::int64_t CaseRandom::size(std::int64_t largest) {
  if (!one_in(3)) return between(1, std::min<std::int64_t>(largest, 12));
  const std::int64_t width = pick({8, 16, 32, 64});
  return std::min(largest, between(width - 1, width + 1));
}

GuardedArray<float> CaseRandom::integers(std::int64_t count, std::int64_t magnitude) {
  GuardedArray<float> array(count);
  for (float& value : array.values()) value = static_cast<float>(between(-magnitude, magnitude));
  return array;
}

GuardedArray<float> CaseRandom::reals(std::int64_t count) {
  GuardedArray<float> array(count);
  for (float& value : array.values()) {
    const float scale = pick({0.125F, 0.5F, 1.0F, 4.0F});
    value = scale * (2.0F * unit() - 1.0F);
  }
  return array;
}

GuardedArray<std::uint8_t> CaseRandom::bytes(std::int64_t count, std::int64_t limit) {
  GuardedArray<std::uint8_t> array(count);
  for (std::uint8_t& value : array.values()) value = static_cast<std::uint8_t>(between(0, limit - 1));
  return array;
}

}  // namespace touchstone::check
