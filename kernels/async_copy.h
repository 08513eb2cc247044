// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/backend.h"
#include "kernels/vector_access.h"

/// Copies from device to shared memory that a thread starts and waits for later, where the GPU has them (compute
/// capability 8.0); elsewhere they are done at once. A copy is there for its thread after wait_copies(), for the others
/// after a barrier behind that.
namespace touchstone::TOUCHSTONE_BACKEND {

/// Starts to copy 16 bytes; both addresses are multiples of 16.
__device__ __forceinline__ void start_copy16(const float* source, float* target) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  const auto address = static_cast<unsigned>(__cvta_generic_to_shared(target));
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(address), "l"(source) : "memory");
#else
  store4(target, load4(source));
#endif
}

/// Starts to copy one float.
__device__ __forceinline__ void start_copy4(const float* source, float* target) {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  const auto address = static_cast<unsigned>(__cvta_generic_to_shared(target));
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4;" ::"r"(address), "l"(source) : "memory");
#else
  *target = *source;
#endif
}

/// Makes a group of the copies that were started since the last one.
__device__ __forceinline__ void end_copy_group() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

/// Waits for all groups of this thread but the last `PENDING`.
template <int PENDING>
__device__ __forceinline__ void wait_copies() {
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(PENDING) : "memory");
#endif
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
