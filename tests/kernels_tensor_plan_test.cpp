// SPDX-License-Identifier: Apache-2.0
//
// The plan of the fused step by tensor cores: that the lanes of an access read and write different banks of shared
// memory, in the network `seed` as often as its sizes allow, and that no two tensors overlap.
#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/fused_step_fixed.h"
#include "kernels/fused_step_shape.h"
#include "kernels_support.h"

namespace touchstone::test {
namespace {

using backend::FusedBlock;
using backend::FusedStepShape;
using backend::TensorBlock;

constexpr int lanes = 32;
constexpr int banks = 32;

/// The rounds that shared memory takes for an access of `words` words a lane at the given places: an access of 64 bits
/// is served half a warp at a time, one of 128 bits a quarter; lanes with the same word share it.
int rounds(const std::function<int(int)>& place, int words) {
  int total = 0;
  const int group = lanes / words;
  for (int first = 0; first < lanes; first += group) {
    std::array<std::set<int>, banks> wanted;
    for (int lane = first; lane < first + group; ++lane) {
      for (int word = 0; word < words; ++word) {
        const int address = place(lane) + word;
        wanted[static_cast<std::size_t>(address % banks)].insert(address);
      }
    }
    std::size_t most = 0;
    for (const auto& of_bank : wanted) most = std::max(most, of_bank.size());
    total += static_cast<int>(most);
  }
  return total;
}

/// What an access takes at least.
constexpr int fewest(int words) { return words; }

int line(int lane) { return lane / 4; }
int term(int lane) { return lane % 4; }

const FusedStepShape& seed() {
  static const FusedStepShape shape = backend::seed_shape();
  return shape;
}
const FusedBlock& first() { return seed().block[0]; }
const FusedBlock& second() { return seed().block[1]; }

TEST(TensorPlanTest, LanesReadActivationsFromDifferentBanks) {
  const TensorBlock& tensor = second().tensor;
  // Forward: four windows' positions of a row, two channels a lane.
  const auto forward = [&](int lane) {
    const int window = line(lane) / 2;
    return (2 * window + line(lane) % 2) * tensor.pixel + 2 * term(lane);
  };
  EXPECT_EQ(rounds(forward, 2), fewest(2));
  // Filters' gradient: the positions of a window, a channel a lane.
  const auto of_window = [&](int lane) {
    return term(lane) / 2 * second().pitch + term(lane) % 2 * tensor.pixel + line(lane);
  };
  EXPECT_EQ(rounds(of_window, 1), fewest(1));
}

TEST(TensorPlanTest, LanesReadDeltasFromDifferentBanks) {
  for (const FusedBlock* block : {&first(), &second()}) {
    const TensorBlock& tensor = block->tensor;
    const auto of_window = [&](int lane) {
      return term(lane) / 2 * tensor.delta_row + term(lane) % 2 * tensor.delta_pixel + line(lane);
    };
    EXPECT_EQ(rounds(of_window, 1), fewest(1));
  }
  const TensorBlock& tensor = second().tensor;
  const auto of_pixels = [&](int lane) {
    return line(lane) / 4 * (backend::tensor_tile_rows / 2) * tensor.delta_row + line(lane) % 4 * tensor.delta_pixel +
           2 * term(lane);
  };
  EXPECT_EQ(rounds(of_pixels, 2), fewest(2));
}

TEST(TensorPlanTest, LanesReadFiltersFromDifferentBanks) {
  EXPECT_EQ(rounds([](int lane) { return first().first_filter_place(line(lane), term(lane)); }, 4), fewest(4));
  EXPECT_EQ(rounds([](int lane) { return second().filter_place(line(lane), 2 * term(lane), 3); }, 4), fewest(4));
  // Transposed, with half of the banks.
  EXPECT_EQ(rounds([](int lane) { return second().filter_place(2 * term(lane), line(lane), 3); }, 1), 2);
}

TEST(TensorPlanTest, LanesWriteToDifferentBanks) {
  // Parts of the sums forward, of four windows.
  const auto part = [](int lane) {
    return term(lane) * second().tensor.window_pitch + line(lane) * backend::tensor_positions;
  };
  EXPECT_EQ(rounds(part, 4), fewest(4));
  // Deltas of the first block: four channels of neighbouring windows, whose positions are numbered differently.
  const auto delta = [](int lane) {
    const int window = lane / 2;
    const int position = window % backend::tensor_positions;
    return window / first().out_w * 2 * first().tensor.delta_row +
           window % first().out_w * 2 * first().tensor.delta_pixel + position / 2 * first().tensor.delta_row +
           position % 2 * first().tensor.delta_pixel + lane % 2 * 4;
  };
  EXPECT_EQ(rounds(delta, 4), fewest(4));
}

TEST(TensorPlanTest, NeighboursInARowAreOneAccessWhereverTheyBegin) {
  EXPECT_EQ(first().pitch % 2, 0);
  EXPECT_EQ(first().tensor.odd_at % 2, 0);
  EXPECT_EQ(first().tensor.low % 4, 0);
  EXPECT_GE(first().tensor.odd_at, first().channels * first().plane);
}

TEST(TensorPlanTest, WeightsHavePlacesOfTheirOwn) {
  std::map<int, int> uses;
  for (int filter = 0; filter < first().filters; ++filter) {
    for (int t = 0; t < first().channels * first().taps(); ++t) {
      const int place = first().filters_at + first().first_filter_place(filter, t);
      ++uses[place];
      ++uses[place + FusedBlock::first_filter_low];
    }
  }
  EXPECT_LT(uses.rbegin()->first, first().bias_at);
  for (int filter = 0; filter < second().filters; ++filter) {
    for (int channel = 0; channel < second().channels; ++channel) {
      for (int tap = 0; tap < second().taps(); ++tap) {
        const int place = second().filters_at + second().filter_place(filter, channel, tap);
        ++uses[place];
        ++uses[place + FusedBlock::filter_low];
      }
    }
  }
  EXPECT_LT(uses.rbegin()->first, second().bias_at);
  for (const auto& [place, count] : uses) ASSERT_EQ(count, 1) << place;
  EXPECT_EQ(uses.size(), 2U * 8 * 25 + 2U * 16 * 8 * 25);
}

TEST(TensorPlanTest, AllWarpsHaveWork) {
  EXPECT_EQ(second().forward_splits * second().tensor.by_forward_tiles.value, backend::tensor_warps);
  EXPECT_EQ(first().filter_splits, 12);
  EXPECT_EQ(second().data_threads / 32, 10);
  EXPECT_EQ(second().filter_threads / 32, 6);
  EXPECT_EQ(second().tensor.tap_share, 5);
}

}  // namespace
}  // namespace touchstone::test
