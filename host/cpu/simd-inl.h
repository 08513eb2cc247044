// SPDX-License-Identifier: Apache-2.0
//
// Loads and stores of a vector's first lanes, and loops over arrays of any length. Included once per instruction set.
#if defined(TOUCHSTONE_HOST_CPU_SIMD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TOUCHSTONE_HOST_CPU_SIMD_INL_H_
#undef TOUCHSTONE_HOST_CPU_SIMD_INL_H_
#else
#define TOUCHSTONE_HOST_CPU_SIMD_INL_H_
#endif

#include <cstddef>
#include <cstdint>

#include <hwy/highway.h>

// Whether a vector's first lanes go through memory: where masked loads and stores touch all lanes (as Highway says, and
// as its scalar target does without saying).
#undef TOUCHSTONE_COPIES_PARTS_OF_VECTORS
#define TOUCHSTONE_COPIES_PARTS_OF_VECTORS (HWY_MEM_OPS_MIGHT_FAULT || HWY_TARGET == HWY_SCALAR)

HWY_BEFORE_NAMESPACE();
namespace touchstone::cpu {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

/// Whole vectors of float32, as wide as the instruction set has them.
using Floats = hn::ScalableTag<float>;
using FloatVector = hn::Vec<Floats>;

/// As many int32.
using Integers = hn::RebindToSigned<Floats>;

HWY_INLINE std::int64_t float_lanes() { return static_cast<std::int64_t>(hn::Lanes(Floats())); }

/// The first `count` lanes from memory, zero in the others; touches no memory beyond them. 0 <= count <= lanes.
HWY_INLINE FloatVector load_first(const float* from, std::int64_t count) {
  const Floats d;
#if TOUCHSTONE_COPIES_PARTS_OF_VECTORS
  if (count == float_lanes()) {
    return hn::LoadU(d, from);
  }
  HWY_ALIGN float lanes[hn::MaxLanes(d)] = {};
  for (std::int64_t i = 0; i < count; ++i) {
    lanes[i] = from[i];
  }
  return hn::Load(d, lanes);
#else
  return hn::MaskedLoad(hn::FirstN(d, static_cast<std::size_t>(count)), d, from);
#endif
}

/// Stores the first `count` lanes; touches no memory beyond them. 0 <= count <= lanes.
HWY_INLINE void store_first(FloatVector vector, float* to, std::int64_t count) {
  const Floats d;
#if TOUCHSTONE_COPIES_PARTS_OF_VECTORS
  if (count == float_lanes()) {
    hn::StoreU(vector, d, to);
    return;
  }
  HWY_ALIGN float lanes[hn::MaxLanes(d)];
  hn::Store(vector, d, lanes);
  for (std::int64_t i = 0; i < count; ++i) {
    to[i] = lanes[i];
  }
#else
  hn::BlendedStore(vector, hn::FirstN(d, static_cast<std::size_t>(count)), d, to);
#endif
}

/// Zero in all but the first `count` lanes.
HWY_INLINE FloatVector keep_first(FloatVector vector, std::int64_t count) {
  return hn::IfThenElseZero(hn::FirstN(Floats(), static_cast<std::size_t>(count)), vector);
}

/// The sum of all lanes, in an order that depends on the instruction set alone.
HWY_INLINE float sum_of_lanes(FloatVector vector) {
  const Floats d;
  return hn::GetLane(hn::SumOfLanes(d, vector));
}

/// Sets `count` floats to zero.
HWY_INLINE void fill_zero(float* to, std::int64_t count) {
  const Floats d;
  const std::int64_t lanes = float_lanes();
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    hn::StoreU(hn::Zero(d), d, to + i);
  }
  store_first(hn::Zero(d), to + i, count - i);
}

/// Copies `count` floats.
HWY_INLINE void copy_floats(const float* from, float* to, std::int64_t count) {
  const Floats d;
  const std::int64_t lanes = float_lanes();
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    hn::StoreU(hn::LoadU(d, from + i), d, to + i);
  }
  if (i < count) {
    store_first(load_first(from + i, count - i), to + i, count - i);
  }
}

/// to[i] += from[i].
HWY_INLINE void add_floats(const float* from, float* to, std::int64_t count) {
  const Floats d;
  const std::int64_t lanes = float_lanes();
  std::int64_t i = 0;
  for (; i + lanes <= count; i += lanes) {
    hn::StoreU(hn::Add(hn::LoadU(d, to + i), hn::LoadU(d, from + i)), d, to + i);
  }
  if (i < count) {
    store_first(hn::Add(load_first(to + i, count - i), load_first(from + i, count - i)), to + i, count - i);
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace touchstone::cpu
HWY_AFTER_NAMESPACE();

#endif  // toggle
