// SPDX-License-Identifier: Apache-2.0
#include "emulation/device_memory.h"

#include <iterator>
#include <new>

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include "emulation/sanitizer.h"

namespace touchstone::emulation {
namespace {

/// As cudaMalloc promises.
constexpr std::size_t alignment = 256;
/// Addresses that nobody may touch, before and after each allocation; they cost no memory.
constexpr std::size_t moat_bytes = std::size_t{1} << 20U;
/// Addresses for the device, fewer where the system grants no more. They cost no memory either.
constexpr std::size_t most_addresses = std::size_t{1} << 40U;
constexpr std::size_t fewest_addresses = std::size_t{1} << 34U;

constexpr int closed_flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;

std::size_t rounded_up(std::size_t bytes, std::size_t multiple) { return (bytes + multiple - 1) / multiple * multiple; }

}  // namespace

DeviceMemory::DeviceMemory() {
  for (std::size_t bytes = most_addresses; bytes >= fewest_addresses; bytes /= 2) {
    void* const range = mmap(nullptr, bytes, PROT_NONE, closed_flags, -1, 0);
    if (range != MAP_FAILED) {
      begin_ = static_cast<std::byte*>(range);
      end_ = begin_ + bytes;
      cursor_ = begin_;
      return;
    }
  }
  throw std::bad_alloc();
}

DeviceMemory::~DeviceMemory() {
  free_all();
  munmap(begin_, static_cast<std::size_t>(end_ - begin_));
}

/// The first place for `bytes` bytes with a moat on either side, from the cursor on, or from the range's begin.
std::byte* DeviceMemory::find_gap(std::size_t bytes) {
  for (std::byte* start : {cursor_, begin_}) {
    std::byte* candidate = start + moat_bytes;
    for (auto next = allocations_.lower_bound(start);; ++next) {
      if (next != allocations_.begin() &&
          std::prev(next)->second.mapping + std::prev(next)->second.mapping_bytes + moat_bytes > candidate) {
        candidate = std::prev(next)->second.mapping + std::prev(next)->second.mapping_bytes + moat_bytes;
      }
      const std::byte* const limit = next == allocations_.end() ? end_ : next->first;
      if (candidate < limit && static_cast<std::size_t>(limit - candidate) >= bytes + moat_bytes) {
        return candidate;
      }
      if (next == allocations_.end()) {
        break;
      }
    }
  }
  return nullptr;
}

void* DeviceMemory::allocate(std::size_t bytes, const Pattern& pattern) {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const std::size_t aligned = rounded_up(bytes, alignment);
  const std::size_t mapping_bytes = rounded_up(aligned, page);
  std::byte* const mapping = find_gap(mapping_bytes);
  if (mapping == nullptr || mprotect(mapping, mapping_bytes, PROT_READ | PROT_WRITE) != 0) {
    return nullptr;
  }
  cursor_ = mapping + mapping_bytes;
  // The data ends as near to the closed pages as alignment allows; what remains on either side is guard band.
  std::byte* const data = mapping + mapping_bytes - aligned;
  pattern.write(mapping, mapping_bytes);
  poison(mapping, static_cast<std::size_t>(data - mapping));
  poison(data + bytes, aligned - bytes);
  allocations_.emplace(mapping, Allocation{mapping, mapping_bytes, data, bytes, pattern});
  used_bytes_ += bytes;
  if (!open_) {
    mprotect(mapping, mapping_bytes, PROT_NONE);
  }
  return data;
}

void DeviceMemory::open() {
  if (!open_) {
    protect(PROT_READ | PROT_WRITE);
    open_ = true;
  }
}

void DeviceMemory::close() {
  if (open_) {
    protect(PROT_NONE);
    open_ = false;
  }
}

void DeviceMemory::protect(int protection) const {
  for (const auto& [mapping, allocation] : allocations_) {
    mprotect(allocation.mapping, allocation.mapping_bytes, protection);
  }
}

void DeviceMemory::release(const Allocation& allocation) const {
  unpoison(allocation.mapping, allocation.mapping_bytes);
  // A fresh mapping gives the pages back to the system.
  static_cast<void>(mmap(allocation.mapping, allocation.mapping_bytes, PROT_NONE, closed_flags | MAP_FIXED, -1, 0));
}

bool DeviceMemory::free(void* address) {
  const Allocation* const allocation = find(address, 0);
  if (allocation == nullptr || allocation->data != address) {
    return false;
  }
  release(*allocation);
  used_bytes_ -= allocation->bytes;
  allocations_.erase(allocation->mapping);
  return true;
}

void DeviceMemory::free_all() {
  for (const auto& [mapping, allocation] : allocations_) {
    release(allocation);
  }
  allocations_.clear();
  used_bytes_ = 0;
}

bool DeviceMemory::owns(const void* address) const { return address >= begin_ && address < end_; }

const DeviceMemory::Allocation* DeviceMemory::find(const void* address, std::size_t bytes) const {
  const auto* const at = static_cast<const std::byte*>(address);
  const auto behind = allocations_.upper_bound(at);
  if (behind == allocations_.begin()) {
    return nullptr;
  }
  const Allocation& allocation = std::prev(behind)->second;
  const bool inside = at >= allocation.data && at <= allocation.data + allocation.bytes &&
                      bytes <= static_cast<std::size_t>(allocation.data + allocation.bytes - at);
  return inside ? &allocation : nullptr;
}

std::string DeviceMemory::describe(const void* address) const {
  const auto* const at = static_cast<const std::byte*>(address);
  const auto behind = allocations_.upper_bound(at);
  const auto place = [at](const Allocation& allocation) {
    const auto offset = at - allocation.data;
    const auto size = static_cast<std::ptrdiff_t>(allocation.bytes);
    const std::string where = offset < 0       ? fmt::format("{} bytes before", -offset)
                              : offset >= size ? fmt::format("{} bytes past the end of", offset - size)
                                               : fmt::format("{} bytes into", offset);
    return fmt::format("{} the {} bytes allocated at {}", where, allocation.bytes,
                       static_cast<const void*>(allocation.data));
  };
  const bool after = behind != allocations_.begin() &&
                     at < std::prev(behind)->second.mapping + std::prev(behind)->second.mapping_bytes + moat_bytes;
  if (after) {
    return place(std::prev(behind)->second);
  }
  if (behind != allocations_.end() && at + moat_bytes >= behind->second.mapping) {
    return place(behind->second);
  }
  return "device memory that is not allocated, or no longer";
}

std::optional<std::string> DeviceMemory::check_guards() const {
  for (const auto& [mapping, allocation] : allocations_) {
    const std::byte* const end = allocation.data + allocation.bytes;
    const std::byte* const closed = allocation.mapping + allocation.mapping_bytes;
    if (const auto at = allocation.pattern.first_difference(end, static_cast<std::size_t>(closed - end))) {
      return fmt::format("a write {}", describe(end + *at));
    }
    if (const auto at = allocation.pattern.first_difference(
            mapping, static_cast<std::size_t>(allocation.data - allocation.mapping))) {
      return fmt::format("a write {}", describe(mapping + *at));
    }
  }
  return std::nullopt;
}

}  // namespace touchstone::emulation
