// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <utility>

#include <thrust/execution_policy.h>

#include "kernels/allocator.h"
#include "kernels/check.h"

#ifdef TOUCHSTONE_EMULATED
#include <thrust/system/cpp/execution_policy.h>

#include "emulation/device.h"
#else
#include <thrust/system/cuda/execution_policy.h>
#endif

namespace touchstone::TOUCHSTONE_BACKEND {

/// An Allocator as Thrust takes it for its temporary memory.
class ThrustAllocator {
 public:
  using value_type = char;

  explicit ThrustAllocator(Allocator& allocator) : allocator_(&allocator) {}

  [[nodiscard]] char* allocate(std::ptrdiff_t bytes) {
    return static_cast<char*>(allocator_->allocate(static_cast<std::size_t>(bytes), "Thrust's temporary memory"));
  }
  void deallocate(char* address, std::size_t /*bytes*/) { allocator_->release(address); }

 private:
  Allocator* allocator_;
};

/// Runs `work(policy)`, calls of Thrust on device memory, on `stream`, and waits for them. Not to be captured. On a GPU
/// Thrust's temporary memory comes from `allocator`; on the emulated device, where the calls run on the host in the
/// stream's order, from the host.
template <class Work>
void run_thrust(const char* name, [[maybe_unused]] Allocator& allocator, cudaStream_t stream, Work work) {
#ifdef TOUCHSTONE_EMULATED
  check(emulation::enqueue(stream, name, [work = std::move(work)] { work(thrust::cpp::par); }), name);
  check(cudaStreamSynchronize(stream), name);
#else
  ThrustAllocator temporary(allocator);
  try {
    work(thrust::cuda::par(temporary).on(stream));
  } catch (const thrust::system_error& error) {
    throw DeviceError(std::string(name) + ": " + error.what());
  }
  check(cudaStreamSynchronize(stream), name);
#endif
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
