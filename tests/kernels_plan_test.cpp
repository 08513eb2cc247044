// SPDX-License-Identifier: Apache-2.0
//
// The launch plans, on the host: that the blocks cover the output, that they keep within the limits of every device,
// and that the lanes of a quarter-warp read different banks of shared memory.
#include <algorithm>
#include <array>
#include <cstdint>
#include <set>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/conv2d_filters_tiled.h"
#include "kernels/conv2d_tiled.h"
#include "kernels/geometry.h"
#include "kernels/row_lanes.h"
#include "kernels_support.h"

namespace touchstone::test {
namespace {

constexpr std::size_t shared_limit = 48 * 1024;
constexpr int quarter_warp = 8;

std::vector<Conv2dShape> tiled_shapes() {
  std::vector<Conv2dShape> shapes;
  for (const std::int64_t kernel : {1, 3, 5, 7}) {
    for (const std::int64_t width : {7, 8, 12, 28, 33, 70}) {
      for (const std::int64_t filters : {1, 4, 5, 8, 17, 64, 100}) {
        for (const std::int64_t channels : {1, 3, 32, 129}) {
          for (const std::int64_t batch : {1, 7, 64}) {
            shapes.push_back({.batch = batch,
                              .channels = channels,
                              .height = width + 5,
                              .width = width,
                              .filters = filters,
                              .kernel_h = kernel,
                              .kernel_w = kernel,
                              .padding_h = kernel / 2,
                              .padding_w = kernel / 3});
          }
        }
      }
    }
  }
  return shapes;
}

std::string describe(const Conv2dShape& shape) {
  return "batch " + std::to_string(shape.batch) + ", channels " + std::to_string(shape.channels) + ", width " +
         std::to_string(shape.width) + ", filters " + std::to_string(shape.filters) + ", kernel " +
         std::to_string(shape.kernel_h);
}

// Vectors of 16 bytes that start in different banks, or are the very same one.
void expect_no_conflict(const std::vector<int>& float_offsets, const std::string& what) {
  std::set<int> vectors;
  std::set<int> banks;
  for (const int offset : float_offsets) {
    ASSERT_EQ(offset % 4, 0) << what;
    vectors.insert(offset / 4);
    banks.insert(offset / 4 % quarter_warp);
  }
  ASSERT_EQ(vectors.size(), banks.size()) << what;
}

TEST(Conv2dTiledPlan, CoversTheOutputWithinTheLimits) {
  for (const Conv2dShape& shape : tiled_shapes()) {
    const backend::Conv2dTiledPlan plan = backend::plan_conv2d_tiled(shape, true);
    const std::string what = describe(shape);
    ASSERT_GE(std::int64_t{plan.tiles_h} * plan.tile_rows, shape.out_h()) << what;
    ASSERT_GE(std::int64_t{plan.tiles_w} * plan.row_slots * backend::conv2d_thread_columns, shape.out_w()) << what;
    ASSERT_GE(std::int64_t{plan.grid.x} / plan.tiles_h / plan.tiles_w * plan.samples, shape.batch) << what;
    ASSERT_GE(std::int64_t{plan.grid.y} * plan.tile_filters(), shape.filters) << what;
    ASSERT_LE(plan.block.x, 160U) << what;
    ASSERT_GE(plan.block.x, static_cast<unsigned>(plan.slots * plan.filter_groups)) << what;
    ASSERT_LE(plan.shared_bytes, shared_limit) << what;
  }
}

TEST(Conv2dTiledPlan, LanesReadDifferentBanks) {
  for (const Conv2dShape& shape : tiled_shapes()) {
    const backend::Conv2dTiledPlan plan = backend::plan_conv2d_tiled(shape, true);
    const int used_slots = plan.samples * plan.tile_rows * plan.row_slots;
    for (int first = 0; first < used_slots; first += quarter_warp) {
      std::vector<int> offsets;
      for (int slot = first; slot < std::min(first + quarter_warp, used_slots); ++slot) {
        const int row_index = slot / plan.row_slots;
        offsets.push_back(row_index / plan.tile_rows * plan.sample_pitch + row_index % plan.tile_rows * plan.pitch +
                          slot % plan.row_slots * backend::conv2d_thread_columns);
      }
      expect_no_conflict(offsets, describe(shape));
    }
  }
}

TEST(Conv2dFiltersPlan, CoversTheSumWithinTheLimits) {
  for (const Conv2dShape& shape : tiled_shapes()) {
    const backend::Conv2dFiltersPlan plan = backend::plan_conv2d_filters(shape, true);
    const std::string what = describe(shape);
    ASSERT_GE(std::int64_t{plan.tiles_h} * plan.tile_rows, shape.out_h()) << what;
    ASSERT_GE(std::int64_t{plan.tiles_w} * plan.tile_columns, shape.out_w()) << what;
    ASSERT_GE(std::int64_t{plan.filter_tiles} * plan.tile_filters(), shape.filters) << what;
    ASSERT_GE(std::int64_t{plan.channel_tiles} * plan.tile_channels, shape.channels) << what;
    ASSERT_EQ(plan.units, shape.batch * plan.tiles_h * plan.tiles_w) << what;
    ASSERT_LE(plan.splits, plan.units) << what;
    ASSERT_LT((plan.splits - 1) * backend::divide_up(plan.units, plan.splits), plan.units) << what << ": an idle part";
    ASSERT_LE(plan.block.x, 256U) << what;
    ASSERT_LE(plan.filter_groups, quarter_warp) << what;
    ASSERT_LE(plan.shared_bytes, shared_limit) << what;
  }
}

TEST(Conv2dFiltersPlan, LanesReadDifferentBanks) {
  for (const Conv2dShape& shape : tiled_shapes()) {
    const backend::Conv2dFiltersPlan plan = backend::plan_conv2d_filters(shape, true);
    const int used_slots = plan.filter_groups * plan.kernel * plan.tile_channels;
    for (int first = 0; first < used_slots; first += quarter_warp) {
      std::vector<int> inputs;
      std::vector<int> gradients;
      for (int slot = first; slot < std::min(first + quarter_warp, used_slots); ++slot) {
        const int tap_row = slot / plan.filter_groups;
        inputs.push_back(tap_row / plan.kernel * plan.input_plane + tap_row % plan.kernel * plan.input_pitch);
        gradients.push_back(slot % plan.filter_groups * plan.gradient_plane);
      }
      expect_no_conflict(inputs, describe(shape) + ": inputs");
      expect_no_conflict(gradients, describe(shape) + ": gradients");
    }
  }
}

TEST(Conv2dFiltersPlan, OrderOfTheSumDoesNotDependOnAlignment) {
  for (const Conv2dShape& shape : tiled_shapes()) {
    const backend::Conv2dFiltersPlan aligned = backend::plan_conv2d_filters(shape, true);
    const backend::Conv2dFiltersPlan unaligned = backend::plan_conv2d_filters(shape, false);
    ASSERT_EQ(aligned.splits, unaligned.splits);
    ASSERT_EQ(aligned.segments, unaligned.segments);
    ASSERT_EQ(aligned.tile_rows, unaligned.tile_rows);
  }
}

TEST(Conv2dIsTiled, OnlyForSquareKernelsOfStrideOne) {
  const Conv2dShape shape{.height = 9, .width = 8, .kernel_h = 5, .kernel_w = 5};
  EXPECT_TRUE(backend::conv2d_is_tiled(shape));
  Conv2dShape strided = shape;
  strided.stride_w = 2;
  EXPECT_FALSE(backend::conv2d_is_tiled(strided));
  Conv2dShape oblong = shape;
  oblong.kernel_h = 3;
  EXPECT_FALSE(backend::conv2d_is_tiled(oblong));
  Conv2dShape even = shape;
  even.kernel_h = even.kernel_w = 2;
  EXPECT_FALSE(backend::conv2d_is_tiled(even));
}

TEST(Conv2dDataGradientShape, TurnsInputIntoOutput) {
  const Conv2dShape shape{.batch = 3,
                          .channels = 2,
                          .height = 9,
                          .width = 8,
                          .filters = 5,
                          .kernel_h = 5,
                          .kernel_w = 5,
                          .padding_h = 1,
                          .padding_w = 2};
  const Conv2dShape gradient = backend::conv2d_data_gradient_shape(shape);
  EXPECT_EQ(gradient.input_count(), shape.output_count());
  EXPECT_EQ(gradient.output_count(), shape.input_count());
  EXPECT_EQ(gradient.out_h(), shape.height);
  EXPECT_EQ(gradient.out_w(), shape.width);
}

TEST(LanesPerRow, ArePowersOfTwoWithTwoClassesEach) {
  EXPECT_EQ(backend::lanes_per_row(1), 1);
  EXPECT_EQ(backend::lanes_per_row(2), 1);
  EXPECT_EQ(backend::lanes_per_row(3), 2);
  EXPECT_EQ(backend::lanes_per_row(10), 8);
  EXPECT_EQ(backend::lanes_per_row(64), 32);
  EXPECT_EQ(backend::lanes_per_row(1000), 32);
}

}  // namespace
}  // namespace touchstone::test
