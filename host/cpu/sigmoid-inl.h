// SPDX-License-Identifier: Apache-2.0
//
// The sigmoid of one vector, and its gradient. Included once per instruction set.
#if defined(TOUCHSTONE_HOST_CPU_SIGMOID_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TOUCHSTONE_HOST_CPU_SIGMOID_INL_H_
#undef TOUCHSTONE_HOST_CPU_SIGMOID_INL_H_
#else
#define TOUCHSTONE_HOST_CPU_SIGMOID_INL_H_
#endif

#include <cstddef>
#include <cstdint>
#include <utility>

#include <hwy/highway.h>

#include "host/cpu/exponential-inl.h"
#include "host/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace touchstone::cpu {
namespace HWY_NAMESPACE {

/// x = 1 / (1 + exp(-x)) for several vectors. With e = exp(-|x|) in (0, 1] it is 1 / (1 + e) for x >= 0 and e / (1 + e)
/// below: no overflow and no cancellation. A NaN stays a NaN.
template <std::size_t... i>
HWY_INLINE void take_sigmoids(FloatVector (&x)[sizeof...(i)], std::index_sequence<i...> vectors) {
  const Floats d;
  const FloatVector one = hn::Set(d, 1.0F);
  FloatVector e[] = {hn::Or(x[i], hn::SignBit(d))...};
  exp_of_negatives(e, vectors);
  const FloatVector share[] = {reciprocal(hn::Add(one, e[i]))...};
  ((x[i] = hn::IfThenElse(hn::Lt(x[i], hn::Zero(d)), hn::Mul(e[i], share[i]), share[i])), ...);
}

template <std::size_t... i>
HWY_INLINE void sigmoids_of_vectors(const float* from, float* to, std::index_sequence<i...> vectors) {
  const Floats d;
  FloatVector x[] = {hn::LoadU(d, from + static_cast<std::int64_t>(i) * float_lanes())...};
  take_sigmoids(x, vectors);
  (hn::StoreU(x[i], d, to + static_cast<std::int64_t>(i) * float_lanes()), ...);
}

/// to[i] = sigmoid(from[i]) for whole vectors as far as `count` goes; how many floats that were.
HWY_INLINE std::int64_t sigmoids_of_whole_vectors(const float* from, float* to, std::int64_t count) {
  constexpr std::size_t at_once = 4;
  const std::int64_t lanes = float_lanes();
  std::int64_t i = 0;
  for (; i + static_cast<std::int64_t>(at_once) * lanes <= count; i += static_cast<std::int64_t>(at_once) * lanes) {
    sigmoids_of_vectors(from + i, to + i, std::make_index_sequence<at_once>());
  }
  for (; i + lanes <= count; i += lanes) {
    sigmoids_of_vectors(from + i, to + i, std::index_sequence<0>());
  }
  return i;
}

/// grad_output * s * (1 - s), from the stored output s.
HWY_INLINE FloatVector sigmoid_gradient(FloatVector grad_output, FloatVector s) {
  return hn::Mul(hn::Mul(grad_output, s), hn::Sub(hn::Set(Floats(), 1.0F), s));
}

}  // namespace HWY_NAMESPACE
}  // namespace touchstone::cpu
HWY_AFTER_NAMESPACE();

#endif  // toggle
