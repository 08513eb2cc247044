// SPDX-License-Identifier: Apache-2.0
//
// Permutations of two vectors' lanes for which Highway has no name or only a slow way. Included once per instruction
// set.
#if defined(TOUCHSTONE_HOST_CPU_PERMUTATIONS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TOUCHSTONE_HOST_CPU_PERMUTATIONS_INL_H_
#undef TOUCHSTONE_HOST_CPU_PERMUTATIONS_INL_H_
#else
#define TOUCHSTONE_HOST_CPU_PERMUTATIONS_INL_H_
#endif

#include <cstdint>

#include <hwy/highway.h>

#include "host/cpu/simd-inl.h"

// Whether the instruction set has look_up_in_two().
#undef TOUCHSTONE_LOOKS_UP_IN_TWO
#define TOUCHSTONE_LOOKS_UP_IN_TWO (HWY_TARGET <= HWY_AVX3 && HWY_ARCH_X86)

HWY_BEFORE_NAMESPACE();
namespace touchstone::cpu {
namespace HWY_NAMESPACE {

#if TOUCHSTONE_LOOKS_UP_IN_TWO

/// Lane i is lane index[i] of the 32 lanes of both, those of `first` first.
HWY_INLINE FloatVector look_up_in_two(FloatVector first, FloatVector second, hn::Vec<Integers> index) {
  return FloatVector{_mm512_permutex2var_ps(first.raw, index.raw, second.raw)};
}

#endif

/// Stores the lanes of two vectors in turn: a0, b0, a1, b1, ...
HWY_INLINE void store_in_turn(FloatVector a, FloatVector b, float* to) {
#if HWY_TARGET == HWY_SCALAR
  to[0] = hn::GetLane(a);
  to[1] = hn::GetLane(b);
#elif TOUCHSTONE_LOOKS_UP_IN_TWO
  // Two permutations, where Highway's own way takes six.
  const Floats d;
  const Integers di;
  alignas(64) static constexpr std::int32_t lower_halves[] = {0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23};
  const auto index = hn::Load(di, lower_halves);
  hn::StoreU(look_up_in_two(a, b, index), d, to);
  hn::StoreU(look_up_in_two(a, b, hn::Add(index, hn::Set(di, 8))), d, to + float_lanes());
#else
  hn::StoreInterleaved2(a, b, Floats(), to);
#endif
}

}  // namespace HWY_NAMESPACE
}  // namespace touchstone::cpu
HWY_AFTER_NAMESPACE();

#endif  // toggle
