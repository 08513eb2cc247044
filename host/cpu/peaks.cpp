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
template <class Number>
std::int64_t count_multiply_adds(std::int64_t rounds) {
  constexpr std::int64_t chains = 10;
  using Numbers = hn::ScalableTag<Number>;
  using Vector = hn::Vec<Numbers>;
  const Numbers d;
  // x = x * factor + term converges to 1 from anywhere near: neither overflow nor denormal numbers.
  const Vector factor = hn::Set(d, Number{0.875F});
  const Vector term = hn::Set(d, Number{0.125F});
  const Vector start = hn::Iota(d, Number{1});
  Vector a = start;
  Vector b = hn::Add(a, term);
  Vector c = hn::Add(b, term);
  Vector e = hn::Add(c, term);
  Vector f = hn::Add(e, term);
  Vector g = hn::Add(f, term);
  Vector h = hn::Add(g, term);
  Vector i = hn::Add(h, term);
  Vector j = hn::Add(i, term);
  Vector k = hn::Add(j, term);
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
  const Vector sum =
      hn::Add(hn::Add(hn::Add(a, b), hn::Add(c, e)), hn::Add(hn::Add(hn::Add(f, g), hn::Add(h, i)), hn::Add(j, k)));
  // The sum is positive: a condition that the compiler cannot know keeps the loop alive.
  return hn::GetLane(hn::SumOfLanes(d, sum)) > 0 ? chains * static_cast<std::int64_t>(hn::Lanes(d)) * rounds : 0;
}

std::int64_t multiply_add_kernel(std::int64_t rounds) { return count_multiply_adds<float>(rounds); }
std::int64_t multiply_add_double_kernel(std::int64_t rounds) { return count_multiply_adds<double>(rounds); }

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace touchstone::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace touchstone::cpu {

namespace {
HWY_EXPORT(copy_kernel);
HWY_EXPORT(multiply_add_kernel);
HWY_EXPORT(multiply_add_double_kernel);
}  // namespace

void copy(std::int64_t count, const float* source, float* target) {
  HWY_DYNAMIC_DISPATCH(copy_kernel)(count, source, target);
}

std::int64_t multiply_add(std::int64_t rounds) { return HWY_DYNAMIC_DISPATCH(multiply_add_kernel)(rounds); }

std::int64_t multiply_add_double(std::int64_t rounds) {
  return HWY_DYNAMIC_DISPATCH(multiply_add_double_kernel)(rounds);
}

}  // namespace touchstone::cpu

#endif  // HWY_ONCE
