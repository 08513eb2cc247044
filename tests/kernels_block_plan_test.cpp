// SPDX-License-Identifier: Apache-2.0
//
// The launch plans of the fused block's kernels, on the host: that the blocks cover the result, that they keep within
// the limits of every device, and that lanes read different banks of shared memory.
#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/conv2d_maxpool_sigmoid_data.h"
#include "kernels/conv2d_maxpool_sigmoid_filters.h"
#include "kernels/conv2d_maxpool_sigmoid_forward.h"
#include "kernels/geometry.h"
#include "kernels_support.h"

namespace touchstone::test {
namespace {

constexpr std::size_t shared_limit = 48 * 1024;
constexpr int banks = 32;

std::vector<Conv2dMaxpoolSigmoidShape> shapes_of(const std::vector<std::int64_t>& kernels) {
  std::vector<Conv2dMaxpoolSigmoidShape> shapes;
  for (const std::int64_t kernel : kernels) {
    for (const std::int64_t pool : {2, 3}) {
      for (const std::int64_t windows : {1, 2, 4, 5, 12, 13, 35}) {
        for (const std::int64_t filters : {1, 4, 5, 17, 64}) {
          for (const std::int64_t channels : {1, 3, 32, 129}) {
            for (const std::int64_t batch : {1, 7, 64}) {
              const Conv2dShape conv2d{.batch = batch,
                                       .channels = channels,
                                       .height = pool * (windows + 2) + kernel,
                                       .width = pool * windows + kernel,
                                       .filters = filters,
                                       .kernel_h = kernel,
                                       .kernel_w = kernel};
              shapes.push_back({.conv2d = conv2d, .pool = pool});
            }
          }
        }
      }
    }
  }
  return shapes;
}

const std::vector<std::int64_t> tiled_kernels = {1, 3, 5, 7};

std::string describe(const Conv2dMaxpoolSigmoidShape& shape) {
  return "batch " + std::to_string(shape.conv2d.batch) + ", channels " + std::to_string(shape.conv2d.channels) +
         ", width " + std::to_string(shape.conv2d.width) + ", filters " + std::to_string(shape.conv2d.filters) +
         ", kernel " + std::to_string(shape.conv2d.kernel_h) + ", pool " + std::to_string(shape.pool);
}

// Accesses of so many floats that start in different banks, or are the very same one.
void expect_no_conflict(const std::vector<int>& float_offsets, int floats, const std::string& what) {
  std::set<int> words;
  std::set<int> used;
  for (const int offset : float_offsets) {
    ASSERT_EQ(offset % floats, 0) << what;
    words.insert(offset / floats);
    used.insert(offset / floats % (banks / floats));
  }
  ASSERT_EQ(words.size(), used.size()) << what;
}

TEST(BlockForwardPlan, CoversTheWindowsWithinTheLimits) {
  for (const Conv2dMaxpoolSigmoidShape& shape : shapes_of(tiled_kernels)) {
    const backend::BlockForwardPlan plan = backend::plan_block_forward(shape, true);
    const std::string what = describe(shape);
    ASSERT_GE(std::int64_t{plan.tiles_h} * plan.tile_rows, shape.out_h()) << what;
    ASSERT_GE(std::int64_t{plan.tiles_w} * plan.row_slots, shape.out_w()) << what;
    ASSERT_GE(std::int64_t{plan.grid.x} / plan.tiles_h / plan.tiles_w * plan.samples, shape.conv2d.batch) << what;
    ASSERT_GE(std::int64_t{plan.grid.y} * plan.tile_filters(), shape.conv2d.filters) << what;
    ASSERT_GE(plan.slots, plan.samples * plan.tile_rows * plan.row_slots) << what;
    ASSERT_GE(plan.phase_rows * plan.pool, plan.tile_rows_in()) << what;
    ASSERT_GE(plan.pitch, plan.tile_columns_in) << what;
    ASSERT_GE(plan.sample_pitch, plan.pool * plan.phase_rows * plan.pitch) << what;
    ASSERT_GE(plan.chunk, 1) << what;
    ASSERT_LE(plan.block.x, 256U) << what;
    ASSERT_GE(plan.block.x, static_cast<unsigned>(plan.slots * plan.filter_groups * plan.segments)) << what;
    ASSERT_LE(plan.shared_bytes, shared_limit) << what;
    ASSERT_GE(plan.shared_bytes, sizeof(float) * static_cast<std::size_t>(plan.chunk * plan.channel_floats())) << what;
    if (plan.vector_loads) {
      ASSERT_EQ(shape.conv2d.width % 4, 0) << what;
      ASSERT_TRUE(plan.tiles_w == 1 || plan.row_slots * plan.pool % 4 == 0) << what;
    }
  }
}

TEST(BlockForwardPlan, LanesReadDifferentBanks) {
  for (const Conv2dMaxpoolSigmoidShape& shape : shapes_of(tiled_kernels)) {
    const backend::BlockForwardPlan plan = backend::plan_block_forward(shape, true);
    const int floats = plan.pool == 2 ? 2 : 1;  // of an access to the input
    const int used_slots = plan.samples * plan.tile_rows * plan.row_slots;
    ASSERT_EQ(plan.slots % (banks / floats), 0) << describe(shape) << ": an access spans two groups of filters";
    for (int first = 0; first < used_slots; first += banks / floats) {
      std::vector<int> offsets;
      for (int slot = first; slot < std::min(first + banks / floats, used_slots); ++slot) {
        const int row = slot / plan.row_slots;
        offsets.push_back(row / plan.tile_rows * plan.sample_pitch + row % plan.tile_rows * plan.pitch +
                          slot % plan.row_slots * plan.pool);
      }
      expect_no_conflict(offsets, floats, describe(shape));
    }
    // The writes of the filter tile: a warp's 8 taps of 4 filters.
    std::vector<int> writes;
    for (int lane = 0; lane < banks; ++lane) {
      writes.push_back(lane % 8 * plan.filter_pitch + lane / 8);
    }
    expect_no_conflict(writes, 1, describe(shape) + ": filters");
  }
}

TEST(BlockForwardPlan, OrderOfTheSumDoesNotDependOnAlignment) {
  for (const Conv2dMaxpoolSigmoidShape& shape : shapes_of({3})) {
    const backend::BlockForwardPlan aligned = backend::plan_block_forward(shape, true);
    const backend::BlockForwardPlan unaligned = backend::plan_block_forward(shape, false);
    ASSERT_FALSE(unaligned.vector_loads);
    ASSERT_EQ(aligned.segments, unaligned.segments);
    ASSERT_EQ(aligned.chunk, unaligned.chunk);
  }
}

TEST(BlockForwardPlan, SharesTheChannelsWhereTilesAreFew) {
  const Conv2dShape conv2d{
      .batch = 64, .channels = 32, .height = 12, .width = 12, .filters = 64, .kernel_h = 5, .kernel_w = 5};
  const backend::BlockForwardPlan wide = backend::plan_block_forward({.conv2d = conv2d, .pool = 2}, true);
  EXPECT_GE(wide.grid.x * wide.grid.y, 256U);
  EXPECT_EQ(wide.segments, 8);
  EXPECT_EQ(wide.chunk % wide.segments, 0);
  Conv2dShape large = conv2d;
  large.batch = 4096;
  EXPECT_EQ(backend::plan_block_forward({.conv2d = large, .pool = 2}, true).segments, 1);
}

TEST(BlockDataPlan, CoversTheInputWithinTheLimits) {
  for (const Conv2dMaxpoolSigmoidShape& shape : shapes_of(tiled_kernels)) {
    const backend::BlockDataPlan plan = backend::plan_block_data(shape);
    const std::string what = describe(shape);
    ASSERT_GE(std::int64_t{plan.tiles_h} * plan.tile_h * shape.pool, shape.conv2d.height) << what;
    ASSERT_GE(std::int64_t{plan.tiles_w} * plan.tile_w * shape.pool, shape.conv2d.width) << what;
    ASSERT_GE(plan.rows, std::min<std::int64_t>(shape.out_h(), plan.tile_h + plan.reach() - 1)) << what;
    ASSERT_GE(plan.columns, std::min<std::int64_t>(shape.out_w(), plan.tile_w + plan.reach() - 1)) << what;
    ASSERT_GE(std::int64_t{plan.grid.x} * plan.samples, shape.conv2d.batch * plan.tiles_h * plan.tiles_w) << what;
    ASSERT_GE(std::int64_t{plan.grid.y} * backend::block_data_channels, shape.conv2d.channels) << what;
    ASSERT_GE(plan.slots, plan.samples * plan.rows * plan.columns) << what;
    ASSERT_EQ(plan.block.x, static_cast<unsigned>(backend::block_data_channels * plan.slots * plan.segments)) << what;
    ASSERT_EQ(plan.block.x % banks, 0U) << what;
    ASSERT_LE(plan.block.x, 384U) << what;
    ASSERT_GE(plan.chunk, 1) << what;
    ASSERT_GE(plan.segments, 1) << what;
    ASSERT_LE(plan.segments, shape.conv2d.filters) << what;
    ASSERT_LE(plan.shared_bytes, shared_limit) << what;
  }
}

// With a pool of 2: whatever the argmax of a warp's windows, equal ones sharing what they read.
TEST(BlockDataPlan, LanesReadDifferentBanks) {
  for (const int kernel : {1, 3, 5, 7}) {
    const backend::BlockTapLayout layout = backend::block_tap_layout(kernel, 2);
    std::vector<int> offsets;
    for (int channel = 0; channel < backend::block_data_channels; ++channel) {
      for (int position = 0; position < backend::block_data_warp_windows; ++position) {
        offsets.push_back(channel * layout.plane + position / 2 * layout.pitch + position % 2);
      }
    }
    expect_no_conflict(offsets, 1, "kernel " + std::to_string(kernel));
  }
}

TEST(BlockDataPlan, FillsTheGpu) {
  const Conv2dShape wide{
      .batch = 64, .channels = 32, .height = 12, .width = 12, .filters = 64, .kernel_h = 5, .kernel_w = 5};
  const backend::BlockDataPlan plan = backend::plan_block_data({.conv2d = wide, .pool = 2});
  EXPECT_GE(plan.grid.x * plan.grid.y, 256U);
  EXPECT_EQ(plan.block.x, 384U);
  EXPECT_EQ(plan.chunk % plan.segments, 0);
}

TEST(BlockFiltersPlan, CoversTheSumWithinTheLimits) {
  for (const Conv2dMaxpoolSigmoidShape& shape : shapes_of({1, 2, 3, 5, 7, 12, 40, 110})) {
    const backend::BlockFiltersPlan plan = backend::plan_block_filters(shape);
    const std::string what = describe(shape);
    ASSERT_GE(std::int64_t{plan.tiles_h} * plan.tile_rows, shape.out_h()) << what;
    ASSERT_GE(std::int64_t{plan.tiles_w} * plan.tile_columns, shape.out_w()) << what;
    ASSERT_GE(std::int64_t{plan.filter_tiles} * backend::block_thread_filters, shape.conv2d.filters) << what;
    ASSERT_GE(std::int64_t{plan.channel_tiles} * plan.tile_channels, shape.conv2d.channels) << what;
    ASSERT_GE(std::int64_t{plan.grid.z} * plan.element_threads * plan.thread_elements,
              plan.tile_channels * shape.conv2d.taps())
        << what;
    ASSERT_EQ(plan.units,
              backend::divide_up<std::int64_t>(shape.conv2d.batch, plan.tile_samples) * plan.tiles_h * plan.tiles_w)
        << what;
    ASSERT_TRUE(plan.tile_samples == 1 || plan.tiles_h * plan.tiles_w == 1) << what;
    ASSERT_LE(plan.splits, plan.units) << what;
    ASSERT_LT((plan.splits - 1) * backend::divide_up(plan.units, plan.splits), plan.units) << what << ": an idle part";
    ASSERT_EQ(plan.element_threads % banks, 0) << what;
    ASSERT_LE(plan.block.x, 256U) << what;
    ASSERT_LE(plan.shared_bytes, shared_limit) << what;
    ASSERT_EQ(plan.staged, shape.conv2d.kernel_h < 100) << what;
  }
}

TEST(BlockFiltersPlan, LanesReadDifferentBanks) {
  for (const Conv2dMaxpoolSigmoidShape& shape : shapes_of({1, 2, 3, 5, 7, 12})) {
    const backend::BlockFiltersPlan plan = backend::plan_block_filters(shape);
    const auto kernel = static_cast<int>(shape.conv2d.kernel_h);
    const int elements = plan.tile_channels * kernel * kernel;
    for (int first = 0; first < elements; first += banks) {
      std::vector<int> offsets;
      for (int element = first; element < std::min(first + banks, elements); ++element) {
        const int tap = element % (kernel * kernel);
        offsets.push_back(element / (kernel * kernel) * plan.plane + tap / kernel * plan.pitch + tap % kernel);
      }
      expect_no_conflict(offsets, 1, describe(shape));
    }
  }
}

TEST(BlockFiltersPlan, FillsTheGpu) {
  const Conv2dShape wide{
      .batch = 64, .channels = 32, .height = 12, .width = 12, .filters = 64, .kernel_h = 5, .kernel_w = 5};
  const backend::BlockFiltersPlan plan = backend::plan_block_filters({.conv2d = wide, .pool = 2});
  EXPECT_GE(plan.grid.x * plan.grid.y, 200U);
  EXPECT_LE(plan.grid.x * plan.grid.y, 264U);  // two for each of 132 multiprocessors
  EXPECT_EQ(plan.tile_samples, 4);
  EXPECT_EQ(plan.units % plan.splits, 0);
}

}  // namespace
}  // namespace touchstone::test
