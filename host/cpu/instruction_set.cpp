// SPDX-License-Identifier: Apache-2.0
#include "host/cpu/instruction_set.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "touchstone/error.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/cpu/instruction_set.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace touchstone::cpu {
namespace HWY_NAMESPACE {
namespace {

std::int64_t chosen_target() { return HWY_TARGET; }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace touchstone::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace touchstone::cpu {

namespace {

HWY_EXPORT(chosen_target);

/// Highway's names that are not how people call these instruction sets.
constexpr std::array<std::pair<std::string_view, std::string_view>, 10> plain_names{{
    {"AVX3", "AVX-512"},
    {"AVX3_DL", "AVX-512"},
    {"AVX3_ZEN4", "AVX-512"},
    {"AVX3_SPR", "AVX-512"},
    {"SSE4", "SSE4.2"},
    {"NEON_WITHOUT_AES", "NEON"},
    {"NEON_BF16", "NEON"},
    {"SCALAR", "no vectors"},
    {"EMU128", "no vectors"},
    {"Scalar", "no vectors"},
}};

std::string plain_name(std::int64_t target) {
  const std::string_view name = hwy::TargetName(target);
  for (const auto& [highway_name, plain_name] : plain_names) {
    if (name == highway_name) return std::string(plain_name);
  }
  return std::string(name);
}

}  // namespace

std::string instruction_set() { return plain_name(HWY_DYNAMIC_DISPATCH(chosen_target)()); }

std::vector<std::string> instruction_sets() {
  std::vector<std::string> names;
  // In order of their bits; two of Highway's can be one in plain words.
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    std::string name = plain_name(target);
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(std::move(name));
  }
  return names;
}

void limit_instruction_set(const std::string& name) {
  hwy::DisableTargets(0);
  std::int64_t better = 0;
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    if (plain_name(target) == name) {
      hwy::DisableTargets(better);
      return;
    }
    better |= target;
  }
  throw UsageError(
      fmt::format("unknown instruction set `{}`; this processor has {}", name, fmt::join(instruction_sets(), ", ")));
}

}  // namespace touchstone::cpu

#endif  // HWY_ONCE
