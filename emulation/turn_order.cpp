// SPDX-License-Identifier: Apache-2.0
#include "emulation/turn_order.h"

#include <numeric>
#include <utility>

#include "emulation/pattern.h"

namespace touchstone::emulation {
namespace {

constexpr std::size_t warp_threads = 32;

void shuffle(std::vector<int>& order, std::uint64_t seed) {
  for (std::size_t last = order.size(); last > 1; --last) {
    std::swap(order[last - 1], order[mixed(seed ^ (last << 32U)) % last]);
  }
}

}  // namespace

void TurnOrder::begin(Schedule schedule, std::uint64_t seed, int threads) {
  const auto count = static_cast<std::size_t>(threads);
  if (schedule == Schedule::random || schedule != schedule_ || order_.size() != count) {
    schedule_ = schedule;
    order_.resize(count);
    std::iota(order_.begin(), order_.end(), 0);
    if (schedule == Schedule::descending) {
      std::reverse(order_.begin(), order_.end());
    }
  }
  if (schedule == Schedule::random) {
    shuffle(order_, seed);
  }
  group_ = schedule == Schedule::by_warp ? warp_threads : count;
  start_over();
}

void TurnOrder::start_over() {
  begin_ = 0;
  cursor_ = 0;
  round_ran_ = false;
  sweep_ran_ = false;
}

void TurnOrder::next_group() {
  begin_ += group_;
  cursor_ = begin_;
  round_ran_ = false;
}

std::uint64_t block_at(Schedule schedule, std::uint64_t seed, std::uint64_t count, std::uint64_t index) {
  switch (schedule) {
    case Schedule::descending:
      return count - 1 - index;
    case Schedule::random: {
      // Steps of a length that has no factor in common with the count visit each block once.
      std::uint64_t step = mixed(seed) % count + 1;
      while (std::gcd(step, count) != 1) {
        ++step;
      }
      return (index * step + mixed(~seed)) % count;
    }
    case Schedule::ascending:
    case Schedule::by_warp:
      break;
  }
  return index;
}

}  // namespace touchstone::emulation
