// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace touchstone::emulation {

/// A call stack that can be left and come back to: one of its own, or the one a host thread runs on.
class Fiber {
 public:
  using Entry = void (*)();

  /// Stands for the stack of the host thread that first switches away from it.
  Fiber() = default;
  /// A stack of `stack_bytes` (whole pages) on which `entry`, which must never return, runs at the first switch.
  /// Fibers of different `colour` keep their frames in different cache sets.
  Fiber(std::size_t stack_bytes, std::size_t colour, Entry entry);
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;
  ~Fiber();

  /// Leaves this fiber, which must be the one that runs, for `to`; returns when something switches back.
  void switch_to(Fiber& to);

  /// Forgets what the fiber was doing, without unwinding its stack: the next switch begins at its entry.
  void restart();

 private:
  struct Arrival;
  static void arrive(const Arrival& arrival);

  void* context_ = nullptr;
  std::byte* mapping_ = nullptr;  ///< a guard page, then the stack
  std::size_t mapping_bytes_ = 0;
  std::size_t colour_ = 0;
  Entry entry_ = nullptr;
  // What AddressSanitizer wants to know.
  const void* bottom_ = nullptr;
  std::size_t bytes_ = 0;
  void* fake_stack_ = nullptr;
};

}  // namespace touchstone::emulation
