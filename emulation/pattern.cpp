// SPDX-License-Identifier: Apache-2.0
#include "emulation/pattern.h"

#include <algorithm>
#include <bit>
#include <limits>

#include "emulation/sanitizer.h"

namespace touchstone::emulation {
namespace {

constexpr std::uintptr_t word_bytes = sizeof(std::uint32_t);

std::uint32_t floating_point_word(Fill fill) {
  switch (fill) {
    case Fill::not_a_number:
      return 0xFFFFFFFFU;
    case Fill::infinity:
      return std::bit_cast<std::uint32_t>(std::numeric_limits<float>::infinity());
    case Fill::large:
      return std::bit_cast<std::uint32_t>(1e38F);
    case Fill::zero:
      break;
  }
  return 0;
}

}  // namespace

Pattern::Pattern(Fill fill, Content content, std::uint64_t seed)
    : word_(floating_point_word(fill)), seed_(mixed(seed ^ mixed(static_cast<std::uint64_t>(fill)))) {
  if (content == Content::integer) {
    random_ = fill == Fill::infinity || fill == Fill::zero;
    word_ = fill == Fill::large ? 0x7F7F7F7FU : 0xFFFFFFFFU;
  }
}

std::uint32_t Pattern::word_at(std::uintptr_t address) const {
  return random_ ? static_cast<std::uint32_t>(mixed(seed_ ^ (address / word_bytes))) : word_;
}

unsigned char Pattern::byte_at(std::uintptr_t address) const {
  return static_cast<unsigned char>(word_at(address) >> (8U * (address % word_bytes)));
}

void Pattern::write(void* begin, std::size_t bytes) const {
  auto* at = static_cast<unsigned char*>(begin);
  unsigned char* const end = at + bytes;
  const auto address = [&at] { return reinterpret_cast<std::uintptr_t>(at); };
  for (; at != end && address() % word_bytes != 0; ++at) {
    *at = byte_at(address());
  }
  for (; static_cast<std::size_t>(end - at) >= word_bytes; at += word_bytes) {
    *reinterpret_cast<std::uint32_t*>(at) = word_at(address());
  }
  for (; at != end; ++at) {
    *at = byte_at(address());
  }
}

TOUCHSTONE_READS_POISONED std::optional<std::size_t> Pattern::first_difference(const void* begin,
                                                                               std::size_t bytes) const {
  const auto* const first = static_cast<const unsigned char*>(begin);
  const auto* const end = first + bytes;
  const auto* at = first;
  const auto address = [](const unsigned char* place) { return reinterpret_cast<std::uintptr_t>(place); };
  for (; at != end && address(at) % word_bytes != 0; ++at) {
    if (*at != byte_at(address(at))) {
      return at - first;
    }
  }
  while (static_cast<std::size_t>(end - at) >= word_bytes &&
         *reinterpret_cast<const std::uint32_t*>(at) == word_at(address(at))) {
    at += word_bytes;
  }
  for (; at != end; ++at) {
    if (*at != byte_at(address(at))) {
      return at - first;
    }
  }
  return std::nullopt;
}

}  // namespace touchstone::emulation
