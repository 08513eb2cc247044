// SPDX-License-Identifier: Apache-2.0
#include "host/cpu/partial_sums.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/cpu/partial_sums.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "host/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace touchstone::cpu {
namespace HWY_NAMESPACE {
namespace {

/// Adds up `sizeof...(i)` neighbouring vectors at a time, so that many loads are on their way at once: partials come
/// from other cores.
template <std::size_t... i>
HWY_INLINE void sum_vectors(std::span<const float* const> partials, std::int64_t place, float* sum,
                            std::index_sequence<i...> /*vectors*/) {
  const Floats d;
  const std::int64_t lanes = float_lanes();
  FloatVector totals[] = {hn::LoadU(d, partials[0] + place + static_cast<std::int64_t>(i) * lanes)...};
  for (const float* partial : partials.subspan(1)) {
    ((totals[i] = hn::Add(totals[i], hn::LoadU(d, partial + place + static_cast<std::int64_t>(i) * lanes))), ...);
  }
  (hn::StoreU(totals[i], d, sum + static_cast<std::int64_t>(i) * lanes), ...);
}

void sum_partials_kernel(std::span<const float* const> partials, std::int64_t begin, std::int64_t count, float* sum) {
  constexpr std::size_t at_once = 8;
  const std::int64_t lanes = float_lanes();
  const std::int64_t block = static_cast<std::int64_t>(at_once) * lanes;
  std::int64_t i = 0;
  for (; i + block <= count; i += block) {
    sum_vectors(partials, begin + i, sum + i, std::make_index_sequence<at_once>());
  }
  for (; i < count; i += lanes) {
    const std::int64_t part = std::min(lanes, count - i);
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
