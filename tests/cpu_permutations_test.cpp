// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <vector>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tests/cpu_permutations_test.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "host/cpu/permutations-inl.h"
#include "host/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace touchstone::cpu {
namespace HWY_NAMESPACE {
namespace {

std::size_t lanes() { return hn::Lanes(Floats()); }

void in_turn(const float* a, const float* b, float* to) {
  store_in_turn(hn::LoadU(Floats(), a), hn::LoadU(Floats(), b), to);
}

/// Whether there is a result.
bool looked_up([[maybe_unused]] const float* both, [[maybe_unused]] const std::int32_t* index,
               [[maybe_unused]] float* to) {
#if TOUCHSTONE_LOOKS_UP_IN_TWO
  const Floats d;
  const auto indices = hn::LoadU(Integers(), index);
  hn::StoreU(look_up_in_two(hn::LoadU(d, both), hn::LoadU(d, both + float_lanes()), indices), d, to);
  return true;
#else
  return false;
#endif
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace touchstone::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

#include <gtest/gtest.h>

#include "tests/cpu_test_support.h"

namespace touchstone::cpu {
namespace {

HWY_EXPORT(lanes);
HWY_EXPORT(in_turn);
HWY_EXPORT(looked_up);

/// 0, 1, 2, ...
std::vector<float> count(std::size_t size) {
  std::vector<float> values(size);
  for (std::size_t i = 0; i < size; ++i) {
    values[i] = static_cast<float>(i);
  }
  return values;
}

TEST(Permutations, StoreInTurn) {
  test::for_each_instruction_set([] {
    const std::size_t size = HWY_DYNAMIC_DISPATCH(lanes)();
    const std::vector<float> both = count(2 * size);
    test::PoisonedOutput<float> output(static_cast<std::int64_t>(2 * size));
    HWY_DYNAMIC_DISPATCH(in_turn)(both.data(), both.data() + size, output.data());
    const std::vector<float> values = output.values();
    for (std::size_t i = 0; i < size; ++i) {
      EXPECT_EQ(values[2 * i], both[i]) << i;
      EXPECT_EQ(values[2 * i + 1], both[size + i]) << i;
    }
  });
}

TEST(Permutations, LookUpInTwo) {
  test::Draws draws(1);
  test::for_each_instruction_set([&] {
    const std::size_t size = HWY_DYNAMIC_DISPATCH(lanes)();
    const std::vector<float> both = count(2 * size);
    std::vector<std::int32_t> index(size);
    for (std::int32_t& i : index) {
      i = static_cast<std::int32_t>(draws.between(0, static_cast<std::int64_t>(2 * size) - 1));
    }
    index.front() = static_cast<std::int32_t>(2 * size) - 1;
    index.back() = 0;
    std::vector<float> values(size);
    if (HWY_DYNAMIC_DISPATCH(looked_up)(both.data(), index.data(), values.data())) {
      for (std::size_t i = 0; i < size; ++i) {
        EXPECT_EQ(values[i], static_cast<float>(index[i])) << i;
      }
    }
  });
}

}  // namespace
}  // namespace touchstone::cpu

#endif  // HWY_ONCE
