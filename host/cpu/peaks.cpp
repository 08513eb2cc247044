// SPDX-License-Identifier: Apache-2.0
//
// What the peaks of one core are measured with.
#include "host/cpu/peaks.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/cpu/peaks.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "host/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace touchstone::cpu {
namespace HWY_NAMESPACE {
namespace {

void copy_kernel(std::int64_t count, const float* source, float* target) { copy_floats(source, target, count); }

/// Ten chains: two units with a latency of four or five cycles, and registers enough where there are sixteen.
std::int64_t multiply_add_kernel(std::int64_t rounds) {
  constexpr std::int64_t chains = 10;
  const Floats d;
  // x = x * factor + term converges to 1 from anywhere near: neither overflow nor denormal numbers.
  const FloatVector factor = hn::Set(d, 0.875F);
  const FloatVector term = hn::Set(d, 0.125F);
  const FloatVector start = hn::Iota(d, 1.0F);
  FloatVector a = start;
  FloatVector b = hn::Add(a, term);
  FloatVector c = hn::Add(b, term);
  FloatVector e = hn::Add(c, term);
  FloatVector f = hn::Add(e, term);
  FloatVector g = hn::Add(f, term);
  FloatVector h = hn::Add(g, term);
  FloatVector i = hn::Add(h, term);
  FloatVector j = hn::Add(i, term);
  FloatVector k = hn::Add(j, term);
  for (std::int64_t round = 0; round < rounds; ++round) {
    a = hn::MulAdd(a, factor, term);
    b = hn::MulAdd(b, factor, term);
    c = hn::MulAdd(c, factor, term);
    e = hn::MulAdd(e, factor, term);
    f = hn::MulAdd(f, factor, term);
    g = hn::MulAdd(g, factor, term);
    h = hn::MulAdd(h, factor, term);
    i = hn::MulAdd(i, factor, term);
    j = hn::MulAdd(j, factor, term);
    k = hn::MulAdd(k, factor, term);
  }
  const FloatVector sum =
      hn::Add(hn::Add(hn::Add(a, b), hn::Add(c, e)), hn::Add(hn::Add(hn::Add(f, g), hn::Add(h, i)), hn::Add(j, k)));
  // The sum is positive: a condition that the compiler cannot know keeps the loop alive.
  return sum_of_lanes(sum) > 0 ? chains * float_lanes() * rounds : 0;
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace touchstone::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace touchstone::cpu {

namespace {
HWY_EXPORT(copy_kernel);
HWY_EXPORT(multiply_add_kernel);
}  // namespace

void copy(std::int64_t count, const float* source, float* target) {
  HWY_DYNAMIC_DISPATCH(copy_kernel)(count, source, target);
}

std::int64_t multiply_add(std::int64_t rounds) { return HWY_DYNAMIC_DISPATCH(multiply_add_kernel)(rounds); }

}  // namespace touchstone::cpu

#endif  // HWY_ONCE
