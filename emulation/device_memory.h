// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>

#include "emulation/options.h"
#include "emulation/pattern.h"

namespace touchstone::emulation {

/// The memory of the emulated device: an address range of its own in which each allocation stands alone, between
/// guard bands and then pages that cannot be touched. Freed addresses come back into use as late as possible. Only
/// between open() and close() can anything be read or written: a host that follows a device pointer by itself faults.
class DeviceMemory {
 public:
  struct Allocation {
    std::byte* mapping = nullptr;  ///< the pages that can be touched
    std::size_t mapping_bytes = 0;
    std::byte* data = nullptr;
    std::size_t bytes = 0;
    Pattern pattern;  ///< what guard bands hold, and the data held at first
  };

  DeviceMemory();
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;
  ~DeviceMemory();

  /// `bytes` of memory filled with `pattern`, aligned to 256 bytes; nullptr where the address range is full.
  void* allocate(std::size_t bytes, const Pattern& pattern);
  /// Takes back what allocate() returned; false for any other address.
  bool free(void* address);
  void free_all();

  /// Makes what is allocated accessible, for work of the device, and inaccessible again.
  void open();
  void close();

  /// Whether an address is the device's, allocated or not.
  [[nodiscard]] bool owns(const void* address) const;
  /// The allocation that holds all of the `bytes` bytes at an address, or nullptr.
  [[nodiscard]] const Allocation* find(const void* address, std::size_t bytes) const;
  [[nodiscard]] std::size_t used_bytes() const { return used_bytes_; }
  /// "4 bytes past the end of the 4000 bytes at 0x...": where an address of the device lies.
  [[nodiscard]] std::string describe(const void* address) const;

  /// What was written outside the allocations, if anything. While open only.
  [[nodiscard]] std::optional<std::string> check_guards() const;

 private:
  using Allocations = std::map<const std::byte*, Allocation>;

  std::byte* find_gap(std::size_t bytes);
  void release(const Allocation& allocation) const;
  void protect(int protection) const;

  std::byte* begin_ = nullptr;
  std::byte* end_ = nullptr;
  std::byte* cursor_ = nullptr;  ///< where the search for the next gap begins
  Allocations allocations_;      ///< by their first byte that can be touched
  std::size_t used_bytes_ = 0;
  bool open_ = false;
};

}  // namespace touchstone::emulation
