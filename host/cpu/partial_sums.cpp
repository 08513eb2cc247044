// SPDX-License-Identifier: Apache-2.0
#include "host/cpu/partial_sums.h"

#include <cstdint>
#include <span>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/cpu/partial_sums.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "host/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace touchstone::cpu {
namespace HWY_NAMESPACE {
namespace {

void sum_partials_kernel(std::span<const float* const> partials, std::int64_t begin, std::int64_t count, float* sum) {
  const std::int64_t lanes = float_lanes();
  for (std::int64_t i = 0; i < count; i += lanes) {
    const std::int64_t part = count - i < lanes ? count - i : lanes;
    FloatVector total = load_first(partials[0] + begin + i, part);
    for (const float* partial : partials.subspan(1)) {
      total = hn::Add(total, load_first(partial + begin + i, part));
    }
    store_first(total, sum + i, part);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace touchstone::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace touchstone::cpu {

namespace {
HWY_EXPORT(sum_partials_kernel);
}  // namespace

void sum_partials(std::span<const float* const> partials, std::int64_t begin, std::int64_t count, float* sum) {
  HWY_DYNAMIC_DISPATCH(sum_partials_kernel)(partials, begin, count, sum);
}

}  // namespace touchstone::cpu

#endif  // HWY_ONCE
