// SPDX-License-Identifier: Apache-2.0
#include "host/reference/fused_plan.h"

#include <utility>
#include <variant>
#include <vector>

#include <gtest/gtest.h>

namespace touchstone {
namespace {

/// A convolution of 2x11x12 with 5 filters of 3x3, a max-pool of 2x2, a sigmoid and a dense layer.
ExecutionPlan plan_of(const Conv2dShape& conv2d, const MaxpoolShape& maxpool) {
  ExecutionPlan plan;
  plan.input_count = conv2d.input_count();
  plan.operations = {
      {.layer = "conv1",
       .shape = conv2d,
       .parameters = {.weights = 16, .weights_count = conv2d.filters_count(), .bias = 112, .bias_count = 5},
       .input_count = conv2d.input_count(),
       .output_count = conv2d.output_count()},
      {.layer = "pool1",
       .shape = maxpool,
       .parameters = {},
       .input_count = maxpool.input_count(),
       .output_count = maxpool.output_count()},
      {.layer = "sigmoid1",
       .shape = SigmoidShape{.count = maxpool.output_count()},
       .parameters = {},
       .input_count = maxpool.output_count(),
       .output_count = maxpool.output_count()},
      {.layer = "dense1",
       .shape = DenseShape{.in_features = maxpool.output_count(), .out_features = 3},
       .parameters = {.weights = 128, .weights_count = 3 * maxpool.output_count(), .bias = 512, .bias_count = 3},
       .input_count = maxpool.output_count(),
       .output_count = 3}};
  return plan;
}

constexpr Conv2dShape conv2d{.channels = 2, .height = 11, .width = 12, .filters = 5, .kernel_h = 3, .kernel_w = 3};
constexpr MaxpoolShape maxpool{
    .channels = 5, .height = 9, .width = 10, .kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2};

TEST(FusedPlan, MakesOneOperationOfThree) {
  const std::vector<FusedOperation> fused = fuse(plan_of(conv2d, maxpool));
  ASSERT_EQ(fused.size(), 2U);
  const auto* block = std::get_if<Conv2dMaxpoolSigmoidShape>(&fused[0].shape);
  ASSERT_NE(block, nullptr);
  EXPECT_EQ(*block, (Conv2dMaxpoolSigmoidShape{.conv2d = conv2d, .pool = 2}));
  EXPECT_EQ(fused[0].parameters.weights, 16);
  EXPECT_EQ(fused[0].parameters.bias, 112);
  EXPECT_EQ(fused[0].input_count, 2 * 11 * 12);
  EXPECT_EQ(fused[0].output_count, 5 * 4 * 5);
  EXPECT_TRUE(std::holds_alternative<DenseShape>(fused[1].shape));
  EXPECT_EQ(fused[1].parameters.weights, 128);
  EXPECT_EQ(fused[1].input_count, 5 * 4 * 5);
}

TEST(FusedPlan, LeavesACodeItsTensor) {
  ExecutionPlan plan = plan_of(conv2d, maxpool);
  for (const auto& [code, operations] : {std::pair<std::size_t, std::size_t>{0, 2}, {1, 4}, {2, 4}, {3, 2}}) {
    plan.code_operation = code;
    EXPECT_EQ(fuse(plan).size(), operations) << code;
  }
}

TEST(FusedPlan, TellsWhichOperationsOfThePlanEachIs) {
  const ExecutionPlan plan = plan_of(conv2d, maxpool);
  const std::vector<FusedOperation> fused = fuse(plan);
  ASSERT_EQ(fused.size(), 2U);
  EXPECT_EQ(fused[0].first, 0U);
  EXPECT_EQ(fused[0].end, 3U);
  EXPECT_EQ(fused[1].first, 3U);
  EXPECT_EQ(fused[1].end, 4U);
  EXPECT_TRUE(block_at(plan, 0).has_value());
  EXPECT_FALSE(block_at(plan, 1).has_value());
}

TEST(FusedPlan, LayeredKeepsEachOperation) {
  const ExecutionPlan plan = plan_of(conv2d, maxpool);
  const std::vector<FusedOperation> operations = fuse(plan, false);
  ASSERT_EQ(operations.size(), 4U);
  EXPECT_TRUE(std::holds_alternative<Conv2dShape>(operations[0].shape));
  EXPECT_EQ(operations[2].first, 2U);
  EXPECT_EQ(operations[2].end, 3U);
  EXPECT_EQ(operations[2].output_count, 5 * 4 * 5);
}

TEST(FusedPlan, LeavesOtherFormsAlone) {
  const auto stays = [](const Conv2dShape& convolution, const MaxpoolShape& pool) {
    EXPECT_EQ(fuse(plan_of(convolution, pool)).size(), 4U);
  };
  Conv2dShape strided = conv2d;
  strided.stride_w = 2;
  MaxpoolShape narrow = maxpool;
  narrow.width = strided.out_w();
  stays(strided, narrow);
  Conv2dShape padded = conv2d;
  padded.padding_h = 1;
  MaxpoolShape high = maxpool;
  high.height = padded.out_h();
  stays(padded, high);
  MaxpoolShape overlapping = maxpool;
  overlapping.kernel_h = 3;
  stays(conv2d, overlapping);
  MaxpoolShape with_padding = maxpool;
  with_padding.padding_w = 1;
  stays(conv2d, with_padding);
  MaxpoolShape large = maxpool;
  large.kernel_h = large.kernel_w = large.stride_h = large.stride_w = 4;
  stays(conv2d, large);
}

TEST(FusedPlan, LeavesHugeLayersAlone) {
  const auto operations_of = [](Conv2dShape convolution) {
    MaxpoolShape pool = maxpool;
    pool.height = convolution.out_h();
    pool.width = convolution.out_w();
    return fuse(plan_of(convolution, pool)).size();
  };
  Conv2dShape image = conv2d;
  image.height = 2048;
  image.width = 4096;
  EXPECT_EQ(operations_of(image), 2U);  // 2 channels of 2^23 pixels: just small enough
  image.channels = 3;
  EXPECT_EQ(operations_of(image), 4U);
}

TEST(FusedPlan, LeavesABlockWithoutItsSigmoidAlone) {
  ExecutionPlan plan = plan_of(conv2d, maxpool);
  plan.operations.erase(plan.operations.begin() + 2);
  EXPECT_EQ(fuse(plan).size(), 3U);
  plan.operations.resize(2);
  EXPECT_EQ(fuse(plan).size(), 2U);
}

}  // namespace
}  // namespace touchstone
