// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "kernels/backend.h"

#ifdef TOUCHSTONE_EMULATED
#include <type_traits>

#include "emulation/kernel.h"
#endif

namespace touchstone::TOUCHSTONE_BACKEND {

/// Each piece of shared memory starts at a multiple of so many bytes, fit for 16-byte accesses.
inline constexpr std::size_t shared_alignment = 16;

/// The bytes of shared memory that a list of takes needs, computed on the host:
///
///   constexpr std::size_t shared_bytes = SharedLayout().take<float>(tile).take<int>(count).bytes();
class SharedLayout {
 public:
  template <class T>
  [[nodiscard]] __host__ __device__ constexpr SharedLayout take(std::size_t count) const {
    static_assert(alignof(T) <= shared_alignment, "shared memory is aligned to 16 bytes");
    SharedLayout larger(*this);
    larger.bytes_ += (count * sizeof(T) + shared_alignment - 1) / shared_alignment * shared_alignment;
    return larger;
  }
  [[nodiscard]] __host__ __device__ constexpr std::size_t bytes() const { return bytes_; }

 private:
  std::size_t bytes_ = 0;
};

#ifndef TOUCHSTONE_EMULATED
namespace detail {
__device__ __forceinline__ unsigned char* dynamic_shared_memory() {
  extern __shared__ __align__(16) unsigned char touchstone_shared_memory[];
  return touchstone_shared_memory;
}
}  // namespace detail
#endif

/// The one way a kernel gets shared memory. Every thread of a block makes the same takes in the same order, at the
/// top of the kernel, before any thread returns; the launch passes SharedLayout's sum of them:
///
///   SharedMemory shared;
///   float* tile = shared.take<float>(tile_floats);
///
/// What it holds at first is undefined. On the emulated device each piece is filled with the schedule's pattern and
/// guarded on both sides, and taking more than the launch provided is an error.
class SharedMemory {
 public:
  template <class T>
  [[nodiscard]] __device__ __forceinline__ T* take(std::size_t count) {
    const std::size_t begin = layout_.bytes();
    layout_ = layout_.template take<T>(count);
#ifdef TOUCHSTONE_EMULATED
    constexpr auto content = std::is_integral_v<T> ? emulation::Content::integer : emulation::Content::floating_point;
    return static_cast<T*>(emulation::take_shared(begin, layout_.bytes(), count * sizeof(T), content));
#else
    return reinterpret_cast<T*>(detail::dynamic_shared_memory() + begin);
#endif
  }

 private:
  SharedLayout layout_;
};

}  // namespace touchstone::TOUCHSTONE_BACKEND
