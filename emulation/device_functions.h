// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <type_traits>

#include "emulation/kernel.h"
#include "emulation/vector_types.h"

/// What a kernel may call on the emulated device: coordinates, barriers, warp functions, arithmetic.
// NOLINTBEGIN(readability-identifier-naming,bugprone-reserved-identifier): these are CUDA's names
namespace touchstone::emulation::runtime {

// Coordinates of the thread that runs, set at each switch of threads. Initial-exec: read as fast as a local.
extern constinit thread_local uint3 threadIdx __attribute__((tls_model("initial-exec")));
extern constinit thread_local uint3 blockIdx __attribute__((tls_model("initial-exec")));
extern constinit thread_local uint3 blockDim __attribute__((tls_model("initial-exec")));
extern constinit thread_local uint3 gridDim __attribute__((tls_model("initial-exec")));
inline constexpr int warpSize = 32;

// Barriers. The place of the call tells one barrier from another.
inline void __syncthreads(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  block_barrier("__syncthreads", {file, line}, false);
}
inline int __syncthreads_count(int predicate, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  return block_barrier("__syncthreads_count", {file, line}, predicate != 0);
}
inline int __syncthreads_or(int predicate, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  return block_barrier("__syncthreads_or", {file, line}, predicate != 0) != 0 ? 1 : 0;
}
inline int __syncthreads_and(int predicate, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  return block_barrier("__syncthreads_and", {file, line}, predicate == 0) == 0 ? 1 : 0;
}
inline void __syncwarp(unsigned mask = 0xFFFFFFFFU, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  warp_ballot("__syncwarp", {file, line}, mask, false);
}

// Fences order memory between threads; here each thread sees all earlier writes anyway.
inline void __threadfence() {}
inline void __threadfence_block() {}

// Votes.
inline unsigned __ballot_sync(unsigned mask, int predicate, const char* file = __builtin_FILE(),
                              int line = __builtin_LINE()) {
  return warp_ballot("__ballot_sync", {file, line}, mask, predicate != 0);
}
inline int __any_sync(unsigned mask, int predicate, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  return warp_ballot("__any_sync", {file, line}, mask, predicate != 0) != 0 ? 1 : 0;
}
inline int __all_sync(unsigned mask, int predicate, const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  return warp_ballot("__all_sync", {file, line}, mask, predicate == 0) == 0 ? 1 : 0;
}

namespace detail {
template <class T>
T shuffle(ShuffleKind kind, Place place, unsigned mask, T value, unsigned operand, int width) {
  static_assert(std::is_arithmetic_v<T> && sizeof(T) >= 4 && sizeof(T) <= 8, "shuffles take 4- and 8-byte numbers");
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  return std::bit_cast<T>(
      static_cast<Bits>(warp_shuffle(kind, place, mask, std::bit_cast<Bits>(value), operand, width)));
}
}  // namespace detail

template <class T>
T __shfl_sync(unsigned mask, T value, int lane, int width = warpSize, const char* file = __builtin_FILE(),
              int line = __builtin_LINE()) {
  return detail::shuffle(ShuffleKind::indexed, {file, line}, mask, value, static_cast<unsigned>(lane), width);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = warpSize, const char* file = __builtin_FILE(),
                 int line = __builtin_LINE()) {
  return detail::shuffle(ShuffleKind::up, {file, line}, mask, value, delta, width);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = warpSize, const char* file = __builtin_FILE(),
                   int line = __builtin_LINE()) {
  return detail::shuffle(ShuffleKind::down, {file, line}, mask, value, delta, width);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = warpSize, const char* file = __builtin_FILE(),
                  int line = __builtin_LINE()) {
  return detail::shuffle(ShuffleKind::exclusive_or, {file, line}, mask, value, static_cast<unsigned>(lanes), width);
}

// Memory.
template <class T>
T __ldg(const T* address) {
  check_alignment(address, alignof(T), sizeof(T));
  return *address;
}

// Integer atomics; blocks may run on several host threads.
template <class T>
T atomicAdd(T* address, std::type_identity_t<T> value) {
  static_assert(std::is_integral_v<T> && sizeof(T) >= 4, "floating-point atomics would not be deterministic");
  return __atomic_fetch_add(address, value, __ATOMIC_RELAXED);
}
template <class T>
T atomicMax(T* address, std::type_identity_t<T> value) {
  static_assert(std::is_integral_v<T> && sizeof(T) >= 4, "as in CUDA");
  T seen = __atomic_load_n(address, __ATOMIC_RELAXED);
  while (seen < value &&
         !__atomic_compare_exchange_n(address, &seen, value, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
  return seen;
}
template <class T>
T atomicMin(T* address, std::type_identity_t<T> value) {
  static_assert(std::is_integral_v<T> && sizeof(T) >= 4, "as in CUDA");
  T seen = __atomic_load_n(address, __ATOMIC_RELAXED);
  while (value < seen &&
         !__atomic_compare_exchange_n(address, &seen, value, true, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
  }
  return seen;
}
template <class T>
T atomicCAS(T* address, std::type_identity_t<T> expected, std::type_identity_t<T> value) {
  static_assert(std::is_integral_v<T> && sizeof(T) >= 4, "as in CUDA");
  __atomic_compare_exchange_n(address, &expected, value, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
  return expected;
}

// Bits.
inline int __popc(unsigned value) { return __builtin_popcount(value); }
inline int __popcll(unsigned long long value) { return __builtin_popcountll(value); }
inline int __ffs(int value) { return __builtin_ffs(value); }
inline int __clz(int value) { return value == 0 ? 32 : __builtin_clz(static_cast<unsigned>(value)); }
inline int __float_as_int(float value) { return std::bit_cast<int>(value); }
inline unsigned __float_as_uint(float value) { return std::bit_cast<unsigned>(value); }
inline float __int_as_float(int value) { return std::bit_cast<float>(value); }
inline float __uint_as_float(unsigned value) { return std::bit_cast<float>(value); }
inline unsigned __umulhi(unsigned a, unsigned b) {
  return static_cast<unsigned>((static_cast<unsigned long long>(a) * b) >> 32U);
}

// Arithmetic with one rounding each.
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __frcp_rn(float value) { return 1.0F / value; }
inline float __fsqrt_rn(float value) { return std::sqrt(value); }
inline float __fmaf_rn(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
inline double __dadd_rn(double a, double b) { return a + b; }
inline double __dmul_rn(double a, double b) { return a * b; }
inline double __fma_rn(double a, double b, double c) { return __builtin_fma(a, b, c); }
inline float rsqrtf(float value) { return 1.0F / std::sqrt(value); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __saturatef(float value) { return value > 0.0F ? (value < 1.0F ? value : 1.0F) : 0.0F; }
inline int __float2int_rn(float value) { return static_cast<int>(std::nearbyint(value)); }
inline int __float2int_rd(float value) { return static_cast<int>(std::floor(value)); }
// The device's fast exponential and logarithm (the C library's headers already hold the names that CUDA gives them).
inline float fast_exp(float value) { return std::exp(value); }
inline float fast_log(float value) { return std::log(value); }

// CUDA's global min and max.
constexpr int min(int a, int b) { return b < a ? b : a; }
constexpr int max(int a, int b) { return a < b ? b : a; }
constexpr unsigned min(unsigned a, unsigned b) { return b < a ? b : a; }
constexpr unsigned max(unsigned a, unsigned b) { return a < b ? b : a; }
constexpr long min(long a, long b) { return b < a ? b : a; }
constexpr long max(long a, long b) { return a < b ? b : a; }
constexpr long long min(long long a, long long b) { return b < a ? b : a; }
constexpr long long max(long long a, long long b) { return a < b ? b : a; }
constexpr unsigned long min(unsigned long a, unsigned long b) { return b < a ? b : a; }
constexpr unsigned long max(unsigned long a, unsigned long b) { return a < b ? b : a; }
inline float min(float a, float b) { return std::fmin(a, b); }
inline float max(float a, float b) { return std::fmax(a, b); }
inline double min(double a, double b) { return std::fmin(a, b); }
inline double max(double a, double b) { return std::fmax(a, b); }

}  // namespace touchstone::emulation::runtime

// The C library declares functions of these names (and defines none); a macro is what reaches past them.
#define __expf(value) ::touchstone::emulation::runtime::fast_exp(value)
#define __logf(value) ::touchstone::emulation::runtime::fast_log(value)
// NOLINTEND(readability-identifier-naming,bugprone-reserved-identifier)
