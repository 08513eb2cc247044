// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "emulation/options.h"

namespace touchstone::emulation {

/// Whose turn it is among the threads of a block. Threads take turns in the order of the schedule, round after round;
/// a turn lasts until the thread waits or ends. By warp, the rounds of one warp come before those of the next.
class TurnOrder {
 public:
  static constexpr int nobody = -1;

  /// Begins a block of `threads` threads.
  void begin(Schedule schedule, std::uint64_t seed, int threads);

  /// From the top again: all threads have met.
  void start_over();

  /// The next thread for which `can_run` holds; nobody where it holds for none.
  template <class CanRun>
  int next(const CanRun& can_run);

 private:
  void next_group();

  std::vector<int> order_;
  Schedule schedule_ = Schedule::ascending;
  std::size_t group_ = 0;  ///< threads that take turns among themselves: the block, or a warp
  std::size_t begin_ = 0;  ///< of the current group
  std::size_t cursor_ = 0;
  bool round_ran_ = false;  ///< somebody ran in this round of the group
  bool sweep_ran_ = false;  ///< somebody ran since the first group last began
};

template <class CanRun>
int TurnOrder::next(const CanRun& can_run) {
  while (true) {
    for (const std::size_t end = std::min(begin_ + group_, order_.size()); cursor_ < end;) {
      const int thread = order_[cursor_++];
      if (can_run(thread)) {
        round_ran_ = true;
        sweep_ran_ = true;
        return thread;
      }
    }
    if (round_ran_) {
      round_ran_ = false;
      cursor_ = begin_;
    } else if (begin_ + group_ < order_.size()) {
      next_group();
    } else if (sweep_ran_) {
      start_over();
    } else {
      return nobody;
    }
  }
}

/// The place in `count` of the block that a schedule runs as number `index`.
std::uint64_t block_at(Schedule schedule, std::uint64_t seed, std::uint64_t count, std::uint64_t index);

}  // namespace touchstone::emulation
