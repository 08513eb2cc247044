// SPDX-License-Identifier: Apache-2.0
#include "touchstone/plan.h"

#include <string>
#include <vector>

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
    EXPECT_EQ(count, plan.output_count);
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

TEST(Plan, ATiedLayerHasTheOthersWeightsAndABiasOfItsOwn) {
  const ExecutionPlan plan = make_plan(Network::named("autoencoder-tied"));
  ASSERT_EQ(plan.operations.size(), 2U);
  const Operation& encoder = plan.operations[0];
  const Operation& decoder = plan.operations[1];
  EXPECT_EQ(std::get<DenseShape>(decoder.shape),
            (DenseShape{.in_features = 32, .out_features = 784, .transposed_weights = true}));
  EXPECT_EQ(decoder.parameters.weights, encoder.parameters.weights);
  EXPECT_EQ(decoder.parameters.weights_count, 0);
  EXPECT_EQ(decoder.parameters.bias_count, 784);
  EXPECT_TRUE(encoder.adds_to_weights_gradient);
  EXPECT_FALSE(decoder.adds_to_weights_gradient);
  EXPECT_EQ(plan.parameter_floats, 32 * 784 + 32 + 784);
}

TEST(Plan, OfSeveralTiedLayersOnlyTheLastDoesNotAdd) {
  const Network network = Network::parse(R"(
name = "n"
input = [1, 1, 6]
loss = "half-squared-error"
layers = [{type = "flatten"}, {type = "dense", units = 4, name = "a"}, {type = "dense", tied_to = "a"},
          {type = "dense", units = 4, name = "b"}, {type = "dense", tied_to = "a"}]
)",
                                         "n.toml");
  const ExecutionPlan plan = make_plan(network);
  std::vector<bool> adds;
  for (const Operation& operation : plan.operations) adds.push_back(operation.adds_to_weights_gradient);
  EXPECT_EQ(adds, (std::vector<bool>{true, true, false, false}));
}

TEST(Plan, TheCodeIsWhatTheCodeLayerPutsOut) {
  EXPECT_EQ(make_plan(Network::named("seed")).code_operation, 6U);
  EXPECT_EQ(make_plan(Network::named("autoencoder")).code_operation, 1U);
}

}  // namespace
}  // namespace touchstone
