// SPDX-License-Identifier: Apache-2.0
#include "touchstone/plan.h"

#include <string>

#include <gtest/gtest.h>

#include "touchstone/network.h"

namespace touchstone {
namespace {

TEST(Plan, MovesTheSigmoidBehindThePool) {
  const ExecutionPlan plan = make_plan(Network::named("seed"));
  ASSERT_EQ(plan.operations.size(), 7U);
  const auto& conv1 = std::get<Conv2dShape>(plan.operations[0].shape);
  EXPECT_EQ(conv1, (Conv2dShape{.height = 28, .width = 28, .filters = 8, .kernel_h = 5, .kernel_w = 5}));
  const auto& pool1 = std::get<MaxpoolShape>(plan.operations[1].shape);
  EXPECT_EQ(pool1,
            (MaxpoolShape{
                .channels = 8, .height = 24, .width = 24, .kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2}));
  EXPECT_EQ(std::get<SigmoidShape>(plan.operations[2].shape).count, 8 * 12 * 12);
  EXPECT_EQ(plan.operations[2].layer, "sigmoid1");
  EXPECT_EQ(std::get<SigmoidShape>(plan.operations[5].shape).count, 16 * 4 * 4);
  EXPECT_EQ(std::get<DenseShape>(plan.operations[6].shape), (DenseShape{.in_features = 256, .out_features = 10}));
  EXPECT_EQ(plan.input_count, 784);
  EXPECT_EQ(plan.classes, 10);
}

TEST(Plan, EachOperationReadsWhatTheOneBeforeWrites) {
  for (const std::string& name : Network::names()) {
    const ExecutionPlan plan = make_plan(Network::named(name));
    std::int64_t count = plan.input_count;
    for (const Operation& operation : plan.operations) {
      EXPECT_EQ(operation.input_count, count) << name << " " << operation.layer;
      count = operation.output_count;
    }
    EXPECT_EQ(count, plan.classes);
  }
}

TEST(Plan, MovesThroughPoolsInARow) {
  const Network network = Network::parse(R"(
name = "n"
input = [1, 8, 8]
layers = [{type = "sigmoid"}, {type = "sigmoid"}, {type = "maxpool2d", kernel = 2}, {type = "maxpool2d", kernel = 2},
          {type = "sigmoid"}, {type = "flatten"}, {type = "dense", units = 2}]
)",
                                         "n.toml");
  const ExecutionPlan plan = make_plan(network);
  ASSERT_EQ(plan.operations.size(), 6U);
  EXPECT_TRUE(std::holds_alternative<MaxpoolShape>(plan.operations[0].shape));
  EXPECT_TRUE(std::holds_alternative<MaxpoolShape>(plan.operations[1].shape));
  for (const std::size_t i : {2U, 3U, 4U}) EXPECT_EQ(std::get<SigmoidShape>(plan.operations[i].shape).count, 4);
  EXPECT_EQ(plan.operations[1].output_count, 4);
}

TEST(Plan, ParametersAreAlignedAndDoNotOverlap) {
  const ExecutionPlan plan = make_plan(Network::named("seed"));
  std::int64_t end = 0;
  for (const Operation& operation : plan.operations) {
    const ParameterSlot& slot = operation.parameters;
    if (slot.weights_count == 0) continue;
    EXPECT_EQ(slot.weights % parameter_alignment, 0);
    EXPECT_EQ(slot.bias % parameter_alignment, 0);
    EXPECT_GE(slot.weights, end);
    EXPECT_GE(slot.bias, slot.weights + slot.weights_count);
    end = slot.bias + slot.bias_count;
  }
  EXPECT_GE(plan.parameter_floats, end);
  EXPECT_LT(plan.parameter_floats, end + parameter_alignment);
}

}  // namespace
}  // namespace touchstone
