// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kernels/backend.h"
#include "kernels/devices.h"
#include "touchstone/error.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// Device memory ran out: what was asked for, and what is free.
class OutOfMemory : public Error {
 public:
  OutOfMemory(const std::string& what, std::size_t bytes, std::size_t free_bytes, std::size_t total_bytes);

  [[nodiscard]] std::size_t free_bytes() const { return free_bytes_; }

 private:
  std::size_t free_bytes_;
};

/// "3.2 MiB".
[[nodiscard]] std::string format_bytes(std::size_t bytes);

/// Where tensors on a device get their memory. Each starts at a multiple of 256 bytes. A tensor may be released while
/// work that uses it is queued, as long as all work goes through one stream.
class Allocator {
 public:
  Allocator() = default;
  Allocator(const Allocator&) = delete;
  Allocator& operator=(const Allocator&) = delete;
  virtual ~Allocator() = default;

  /// Throws OutOfMemory. `name` says what it is for, in errors.
  [[nodiscard]] virtual void* allocate(std::size_t bytes, const std::string& name) = 0;
  virtual void release(void* address) noexcept = 0;
  /// Makes sure, where tensors share allocations, that the next `bytes` of them do. Throws OutOfMemory.
  virtual void reserve(std::size_t /*bytes*/, const std::string& /*name*/) {}
  /// Waits for the device, and throws Error where something was written outside a tensor, as far as this allocator can
  /// tell.
  virtual void verify() const {}
};

/// Some large allocations, handed out piece by piece from the front; one is used afresh when all of its pieces are
/// released.
class Arena final : public Allocator {
 public:
  Arena() = default;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() override;

  [[nodiscard]] void* allocate(std::size_t bytes, const std::string& name) override;
  void release(void* address) noexcept override;
  void reserve(std::size_t bytes, const std::string& name) override;

 private:
  struct Chunk {
    char* memory = nullptr;
    std::size_t bytes = 0;
    std::size_t used = 0;
    std::size_t pieces = 0;
  };

  std::vector<Chunk> chunks_;
};

/// An allocation a tensor, with guard bands before and after that verify() looks at. New tensors hold 0xFF bytes (NaN,
/// or -1); on the emulated device what its schedule fills memory with.
class GuardedAllocator final : public Allocator {
 public:
  GuardedAllocator() = default;
  GuardedAllocator(const GuardedAllocator&) = delete;
  GuardedAllocator& operator=(const GuardedAllocator&) = delete;
  ~GuardedAllocator() override;

  [[nodiscard]] void* allocate(std::size_t bytes, const std::string& name) override;
  void release(void* address) noexcept override;
  void verify() const override;

 private:
  struct Tensor {
    std::size_t bytes = 0;
    std::string name;
  };

  std::map<void*, Tensor> tensors_;
};

/// Gives out no memory, only adds up what an Arena would need.
class CountingAllocator final : public Allocator {
 public:
  [[nodiscard]] void* allocate(std::size_t bytes, const std::string& name) override;
  void release(void* address) noexcept override;

  [[nodiscard]] std::size_t bytes() const { return bytes_; }

 private:
  std::size_t bytes_ = 0;
};

/// The allocator of a strategy.
[[nodiscard]] std::unique_ptr<Allocator> make_allocator(MemoryStrategy strategy);

/// Elements of device memory, released at the end. The allocator outlives it.
template <class T>
class Buffer {
 public:
  Buffer() = default;
  Buffer(Allocator& allocator, std::int64_t count, const std::string& name)
      : allocator_(&allocator),
        data_(count == 0 ? nullptr
                         : static_cast<T*>(allocator.allocate(static_cast<std::size_t>(count) * sizeof(T), name))),
        count_(count) {}
  Buffer(Buffer&& other) noexcept { swap(other); }
  Buffer& operator=(Buffer&& other) noexcept {
    swap(other);
    return *this;
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() {
    if (data_ != nullptr) {
      allocator_->release(data_);
    }
  }

  [[nodiscard]] T* data() const { return data_; }
  [[nodiscard]] std::int64_t count() const { return count_; }
  [[nodiscard]] std::size_t bytes() const { return static_cast<std::size_t>(count_) * sizeof(T); }

 private:
  void swap(Buffer& other) noexcept {
    std::swap(allocator_, other.allocator_);
    std::swap(data_, other.data_);
    std::swap(count_, other.count_);
  }

  Allocator* allocator_ = nullptr;
  T* data_ = nullptr;
  std::int64_t count_ = 0;
};

}  // namespace touchstone::TOUCHSTONE_BACKEND
