// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdio>

#include "kernels/allocator.h"
#include "kernels/check.h"
#include "kernels/geometry.h"

namespace touchstone::TOUCHSTONE_BACKEND {
namespace {

constexpr std::size_t alignment = 256;                      // bytes; what cudaMalloc gives
constexpr std::size_t chunk_bytes = std::size_t{4} << 20U;  // of an arena's smallest allocation
constexpr std::size_t guard_bytes = 256;                    // on each side of a guarded tensor
constexpr int guard_value = 0xA5;
constexpr int poison_value = 0xFF;

// Throws OutOfMemory where the device has no more.
char* allocate_memory(std::size_t bytes, const std::string& name) {
  void* memory = nullptr;
  const cudaError_t error = cudaMalloc(&memory, bytes);
  if (error == cudaErrorMemoryAllocation) {
    static_cast<void>(cudaGetLastError());  // the error is reported here; later checks need not find it again
    std::size_t free_bytes = 0;
    std::size_t total_bytes = 0;
    check(cudaMemGetInfo(&free_bytes, &total_bytes), "cudaMemGetInfo");
    throw OutOfMemory(name, bytes, free_bytes, total_bytes);
  }
  check(error, "cudaMalloc");
  return static_cast<char*>(memory);
}

// Bytes from a guarded tensor's beginning to its upper guard band, which needs no alignment.
char* upper_guard(void* tensor, std::size_t bytes) { return static_cast<char*>(tensor) + bytes; }
char* lower_guard(void* tensor) { return static_cast<char*>(tensor) - guard_bytes; }

void verify_guard(const char* guard, const std::string& name, std::size_t bytes, const char* side) {
  std::vector<unsigned char> found(guard_bytes);
  check(cudaMemcpy(found.data(), guard, guard_bytes, cudaMemcpyDeviceToHost), "cudaMemcpy");
  const auto wrong = std::find_if(found.begin(), found.end(), [](unsigned char byte) { return byte != guard_value; });
  if (wrong != found.end()) {
    throw Error("something was written " + std::string(side) + " the tensor '" + name + "' of " +
                std::to_string(bytes) + " bytes: byte " + std::to_string(wrong - found.begin()) +
                " of the guard band there has changed");
  }
}

}  // namespace

std::string format_bytes(std::size_t bytes) {
  constexpr double kib = 1024;
  const auto value = static_cast<double>(bytes);
  char text[32];
  if (value >= kib * kib * kib) {
    std::snprintf(text, sizeof(text), "%.1f GiB", value / (kib * kib * kib));
  } else if (value >= kib * kib) {
    std::snprintf(text, sizeof(text), "%.1f MiB", value / (kib * kib));
  } else {
    std::snprintf(text, sizeof(text), "%.1f KiB", value / kib);
  }
  return text;
}

OutOfMemory::OutOfMemory(const std::string& what, std::size_t bytes, std::size_t free_bytes, std::size_t total_bytes)
    : Error("out of device memory: " + what + " takes " + format_bytes(bytes) + ", " + format_bytes(free_bytes) +
            " of " + format_bytes(total_bytes) + " are free"),
      free_bytes_(free_bytes) {}

Arena::~Arena() {
  for (const Chunk& chunk : chunks_) {
    static_cast<void>(cudaFree(chunk.memory));
  }
}

void Arena::reserve(std::size_t bytes, const std::string& name) {
  const auto fits = [bytes](const Chunk& chunk) { return chunk.bytes - chunk.used >= bytes; };
  if (std::none_of(chunks_.begin(), chunks_.end(), fits)) {
    const std::size_t size = std::max(bytes, chunk_bytes);
    chunks_.push_back(Chunk{.memory = allocate_memory(size, name), .bytes = size});
  }
}

void* Arena::allocate(std::size_t bytes, const std::string& name) {
  const std::size_t size = round_up(bytes, alignment);
  reserve(size, name);
  const auto chunk = std::find_if(chunks_.begin(), chunks_.end(),
                                  [size](const Chunk& candidate) { return candidate.bytes - candidate.used >= size; });
  char* address = chunk->memory + chunk->used;
  chunk->used += size;
  ++chunk->pieces;
  return address;
}

void Arena::release(void* address) noexcept {
  const auto chunk = std::find_if(chunks_.begin(), chunks_.end(), [address](const Chunk& candidate) {
    return address >= candidate.memory && address < candidate.memory + candidate.bytes;
  });
  if (--chunk->pieces == 0) {
    chunk->used = 0;
  }
}

GuardedAllocator::~GuardedAllocator() {
  for (const auto& [address, tensor] : tensors_) {
    static_cast<void>(cudaFree(lower_guard(address)));
  }
}

void* GuardedAllocator::allocate(std::size_t bytes, const std::string& name) {
  char* memory = allocate_memory(bytes + 2 * guard_bytes, name);
  void* tensor = memory + guard_bytes;
  tensors_.emplace(tensor, Tensor{.bytes = bytes, .name = name});
  check(cudaMemset(memory, guard_value, guard_bytes), "cudaMemset");
  check(cudaMemset(upper_guard(tensor, bytes), guard_value, guard_bytes), "cudaMemset");
  if constexpr (!emulated_build) {
    check(cudaMemset(tensor, poison_value, bytes), "cudaMemset");
  }
  check(cudaDeviceSynchronize(), "cudaDeviceSynchronize");  // before work on other streams may write to the tensor
  return tensor;
}

void GuardedAllocator::release(void* address) noexcept {
  tensors_.erase(address);
  static_cast<void>(cudaFree(lower_guard(address)));
}

void GuardedAllocator::verify() const {
  check(cudaDeviceSynchronize(), "cudaDeviceSynchronize");
  for (const auto& [address, tensor] : tensors_) {
    verify_guard(lower_guard(address), tensor.name, tensor.bytes, "before");
    verify_guard(upper_guard(address, tensor.bytes), tensor.name, tensor.bytes, "behind");
  }
}

void* CountingAllocator::allocate(std::size_t bytes, const std::string& /*name*/) {
  bytes_ += round_up(bytes, alignment);
  return nullptr;
}

void CountingAllocator::release(void* /*address*/) noexcept {}

std::unique_ptr<Allocator> make_allocator(MemoryStrategy strategy) {
  if (strategy == MemoryStrategy::guarded) {
    return std::make_unique<GuardedAllocator>();
  }
  return std::make_unique<Arena>();
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
