// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/backend.h"

#ifdef TOUCHSTONE_EMULATED
#include "emulation/kernel.h"
#endif

namespace touchstone::TOUCHSTONE_BACKEND {

/// A barrier of all threads of a grid that was launched by launch_cooperative(), in two halves: what a thread has
/// written before arrive() every thread sees after wait(); between the two a thread may do what needs no other block.
/// All threads of the grid call both alike.
///
/// The count, one unsigned in device memory that is 0 when the kernel starts, never falls: each block adds one a
/// barrier. It may wrap around, as only the difference to what is waited for counts.
class GridBarrier {
 public:
  __device__ explicit GridBarrier(unsigned* count) : count_(count) {}

  __device__ __forceinline__ void arrive() {
    __syncthreads();  // the block's threads have written what they had to
    target_ += gridDim.x;
#ifndef TOUCHSTONE_EMULATED
    if (threadIdx.x == 0) {
      __threadfence();  // what they have written is there before the count says so
      atomicAdd(count_, 1U);
    }
#endif
  }

  __device__ __forceinline__ void wait() {
#ifdef TOUCHSTONE_EMULATED
    emulation::grid_barrier("GridBarrier::wait", {__builtin_FILE(), __builtin_LINE()});
#else
    if (threadIdx.x == 0) {
      while (static_cast<int>(target_ - *static_cast<volatile unsigned*>(count_)) > 0) {
      }
      __threadfence();  // nothing that others have written is read before, nor from this multiprocessor's cache
    }
    __syncthreads();  // for the whole block
#endif
  }

 private:
  [[maybe_unused]] unsigned* count_;  // the emulation has a count of its own
  unsigned target_ = 0;
};

}  // namespace touchstone::TOUCHSTONE_BACKEND
