// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/cpu_test_support.h"
#include "touchstone/error.h"
#include "touchstone/executor.h"

namespace touchstone {
namespace {

/// Gives each operation of a plan its place among the parameters.
class PlanBuilder {
 public:
  explicit PlanBuilder(std::int64_t input_count) { plan_.input_count = input_count; }

  PlanBuilder& add(const Conv2dShape& shape) {
    return add({.layer = "conv",
                .shape = shape,
                .parameters = slot(shape.filters_count(), shape.filters),
                .input_count = shape.input_count(),
                .output_count = shape.output_count()});
  }
  PlanBuilder& add(const MaxpoolShape& shape) {
    return add({.layer = "pool",
                .shape = shape,
                .parameters = {},
                .input_count = shape.input_count(),
                .output_count = shape.output_count()});
  }
  PlanBuilder& add(const SigmoidShape& shape) {
    return add({.layer = "sigmoid",
                .shape = shape,
                .parameters = {},
                .input_count = shape.count,
                .output_count = shape.count});
  }
  PlanBuilder& add(const DenseShape& shape) {
    plan_.output_count = shape.out_features;
    plan_.classes = shape.out_features;
    return add({.layer = "dense",
                .shape = shape,
                .parameters = slot(shape.weights_count(), shape.out_features),
                .input_count = shape.in_features,
                .output_count = shape.out_features});
  }
  [[nodiscard]] ExecutionPlan plan() const { return plan_; }

 private:
  PlanBuilder& add(Operation operation) {
    plan_.operations.push_back(std::move(operation));
    return *this;
  }
  ParameterSlot slot(std::int64_t weights, std::int64_t bias) {
    const auto take = [&](std::int64_t count) {
      const std::int64_t begin = plan_.parameter_floats;
      plan_.parameter_floats += (count + parameter_alignment - 1) / parameter_alignment * parameter_alignment;
      return begin;
    };
    const std::int64_t weights_begin = take(weights);
    return {.weights = weights_begin, .weights_count = weights, .bias = take(bias), .bias_count = bias};
  }

  ExecutionPlan plan_;
};

/// Two convolutions with pools and sigmoids, an overlapping pool among them, and two dense layers.
ExecutionPlan deep_plan() {
  return PlanBuilder(2 * 14 * 13)
      .add(Conv2dShape{.channels = 2, .height = 14, .width = 13, .filters = 5, .kernel_h = 3, .kernel_w = 4})
      .add(MaxpoolShape{
          .channels = 5, .height = 12, .width = 10, .kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2})
      .add(SigmoidShape{.count = 5 * 6 * 5})
      .add(Conv2dShape{.channels = 5,
                       .height = 6,
                       .width = 5,
                       .filters = 7,
                       .kernel_h = 3,
                       .kernel_w = 3,
                       .padding_h = 1,
                       .padding_w = 1})
      .add(MaxpoolShape{
          .channels = 7, .height = 6, .width = 5, .kernel_h = 3, .kernel_w = 3, .stride_h = 1, .stride_w = 2})
      .add(SigmoidShape{.count = 7 * 4 * 2})
      .add(DenseShape{.in_features = 56, .out_features = 12})
      .add(SigmoidShape{.count = 12})
      .add(DenseShape{.in_features = 12, .out_features = 4})
      .plan();
}

SharedImageSet random_images(std::int64_t count) {
  test::Draws draws(1);
  ImageSet images;
  images.count = count;
  images.shape = {.channels = 2, .height = 14, .width = 13};
  std::vector<std::uint8_t> pixels;
  for (std::int64_t i = 0; i < count * images.shape.count(); ++i) {
    pixels.push_back(static_cast<std::uint8_t>(draws.between(0, 255)));
  }
  images.pixels = pixels;
  for (std::int64_t n = 0; n < count; ++n) {
    images.labels.push_back(static_cast<std::uint8_t>(draws.between(0, 3)));
  }
  return std::make_shared<const ImageSet>(std::move(images));
}

ExecutorSettings settings_for(OptimizerKind kind) {
  return {.plan = deep_plan(),
          .normalisation = {.mean = 0.5, .std = 0.25},
          .optimizer = {.kind = kind, .momentum = kind == OptimizerKind::sgd ? 0.9 : 0.0, .weight_decay = 0.001},
          .batch_size = 70};
}

/// Random parameters within the slots, zeros in the gaps and in the optimizer's state.
ExecutorState initial_state(const ExecutorSettings& settings) {
  const auto floats = static_cast<std::size_t>(settings.plan.parameter_floats);
  ExecutorState state{.parameters = std::vector<double>(floats), .optimizer_slots = {}};
  state.optimizer_slots.assign(static_cast<std::size_t>(settings.optimizer.slots()), state.parameters);
  test::Draws draws(2);
  const auto draw = [&](std::int64_t begin, std::int64_t count) {
    for (std::int64_t i = begin; i < begin + count; ++i) {
      state.parameters[static_cast<std::size_t>(i)] = 0.5F * draws.real();
    }
  };
  for (const Operation& operation : settings.plan.operations) {
    draw(operation.parameters.weights, operation.parameters.weights_count);
    draw(operation.parameters.bias, operation.parameters.bias_count);
  }
  return state;
}

std::unique_ptr<Executor> cpu_executor(const ExecutorSettings& settings, int threads, const SharedImageSet& images) {
  std::unique_ptr<Executor> executor = make_cpu_executor(settings, threads);
  executor->upload(Split::training, images);
  executor->upload(Split::test, images);
  executor->set_state(initial_state(settings));
  return executor;
}

std::unique_ptr<Executor> reference_executor(const ExecutorSettings& settings, const SharedImageSet& images) {
  std::unique_ptr<Executor> executor = make_reference_executor(settings);
  executor->upload(Split::training, images);
  executor->upload(Split::test, images);
  executor->set_state(initial_state(settings));
  return executor;
}

std::vector<std::uint32_t> first_samples(std::size_t count) {
  std::vector<std::uint32_t> samples(count);
  std::iota(samples.begin(), samples.end(), 0U);
  std::reverse(samples.begin(), samples.end());
  return samples;
}

/// The largest difference over the largest magnitude.
double relative_difference(const std::vector<double>& got, const std::vector<double>& expected) {
  double difference = 0;
  double magnitude = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    difference = std::max(difference, std::abs(got[i] - expected[i]));
    magnitude = std::max(magnitude, std::abs(expected[i]));
  }
  return difference / magnitude;
}

TEST(CpuExecutor, ComputesTheGradientsOfTheReference) {
  const ExecutorSettings settings = settings_for(OptimizerKind::sgd);
  const SharedImageSet images = random_images(70);
  const auto reference = reference_executor(settings, images);
  for (const std::size_t count : std::vector<std::size_t>{1, 2, 5, 33, 64, 70}) {
    const std::vector<double> expected = reference->gradients(first_samples(count));
    test::for_each_instruction_set([&] {
      const auto executor = cpu_executor(settings, 2, images);
      const std::vector<double> got = executor->gradients(first_samples(count));
      ASSERT_EQ(got.size(), expected.size());
      EXPECT_LT(relative_difference(got, expected), 1e-5) << count << " samples";
      EXPECT_EQ(executor->state().parameters, initial_state(settings).parameters);
    });
  }
}

TEST(CpuExecutor, FollowsTheReferenceThroughSomeSteps) {
  const SharedImageSet images = random_images(50);
  const std::vector<std::uint32_t> samples = first_samples(50);
  const std::vector<double> learning_rates{0.1, 0.05, 0.02};
  for (const OptimizerKind kind : {OptimizerKind::sgd, OptimizerKind::adamw}) {
    const ExecutorSettings settings = settings_for(kind);
    const TrainingSteps steps{.samples = samples, .batch_size = 20, .learning_rates = learning_rates, .first_step = 1};
    const auto reference = reference_executor(settings, images);
    const auto executor = cpu_executor(settings, 3, images);
    const Metrics expected = reference->train(steps);
    const Metrics got = executor->train(steps);
    EXPECT_EQ(got.count, 50);
    EXPECT_EQ(got.correct, expected.correct);
    EXPECT_EQ(got.first_non_finite_step, -1);
    EXPECT_NEAR(got.loss_sum, expected.loss_sum, 1e-4);
    EXPECT_LT(relative_difference(executor->state().parameters, reference->state().parameters), 1e-4);
  }
}

TEST(CpuExecutor, GivesTheSameBitsForAnyNumberOfThreads) {
  const SharedImageSet images = random_images(131);
  const std::vector<std::uint32_t> samples = first_samples(131);
  const std::vector<double> learning_rates{0.1, 0.1, 0.1};
  for (const OptimizerKind kind : {OptimizerKind::sgd, OptimizerKind::adam, OptimizerKind::adamw}) {
    const ExecutorSettings settings = settings_for(kind);
    const TrainingSteps steps{.samples = samples, .batch_size = 61, .learning_rates = learning_rates, .first_step = 1};
    const auto single = cpu_executor(settings, 1, images);
    const Metrics expected = single->train(steps);
    const ExecutorState expected_state = single->state();
    const std::vector<float> expected_logits = single->logits(Split::test, samples);
    const Metrics expected_test = single->evaluate(Split::test, samples);
    for (const int threads : {2, 3, 4, 8}) {
      const auto executor = cpu_executor(settings, threads, images);
      const Metrics got = executor->train(steps);
      EXPECT_EQ(got.loss_sum, expected.loss_sum) << threads;
      EXPECT_EQ(got.correct, expected.correct) << threads;
      EXPECT_EQ(executor->state().parameters, expected_state.parameters) << threads;
      EXPECT_EQ(executor->state().optimizer_slots, expected_state.optimizer_slots) << threads;
      EXPECT_EQ(executor->logits(Split::test, samples), expected_logits) << threads;
      EXPECT_EQ(executor->evaluate(Split::test, samples).loss_sum, expected_test.loss_sum) << threads;
    }
  }
}

TEST(CpuExecutor, LeavesTheGapsBetweenParametersZero) {
  const ExecutorSettings settings = settings_for(OptimizerKind::adam);
  const auto executor = cpu_executor(settings, 2, random_images(20));
  const std::vector<std::uint32_t> samples = first_samples(20);
  executor->train({.samples = samples, .batch_size = 20, .learning_rates = std::vector<double>{0.1}, .first_step = 1});
  std::vector<double> parameters = executor->state().parameters;
  EXPECT_NE(parameters, initial_state(settings).parameters);
  for (const Operation& operation : settings.plan.operations) {
    const ParameterSlot& slot = operation.parameters;
    std::fill_n(parameters.begin() + slot.weights, slot.weights_count, 0.0);
    std::fill_n(parameters.begin() + slot.bias, slot.bias_count, 0.0);
  }
  EXPECT_EQ(parameters, std::vector<double>(parameters.size()));
}

TEST(CpuExecutor, EvaluatesAsTheReferenceDoes) {
  const ExecutorSettings settings = settings_for(OptimizerKind::sgd);
  const SharedImageSet images = random_images(45);
  const std::vector<std::uint32_t> samples = first_samples(45);
  const auto executor = cpu_executor(settings, 2, images);
  const auto reference = reference_executor(settings, images);
  const Metrics got = executor->evaluate(Split::test, samples);
  const Metrics expected = reference->evaluate(Split::test, samples);
  EXPECT_EQ(got.correct, expected.correct);
  EXPECT_EQ(got.count, 45);
  EXPECT_NEAR(got.loss_sum, expected.loss_sum, 1e-4);
  const std::vector<float> logits = executor->logits(Split::test, samples);
  const std::vector<float> expected_logits = reference->logits(Split::test, samples);
  ASSERT_EQ(logits.size(), expected_logits.size());
  for (std::size_t i = 0; i < logits.size(); ++i) {
    ASSERT_NEAR(logits[i], expected_logits[i], 1e-5);
  }
  EXPECT_EQ(executor->evaluate(Split::test, {}).count, 0);
}

TEST(CpuExecutor, StopsAtTheFirstNonFiniteLoss) {
  const ExecutorSettings settings = settings_for(OptimizerKind::sgd);
  const SharedImageSet images = random_images(40);
  const std::vector<std::uint32_t> samples = first_samples(40);
  const auto executor = cpu_executor(settings, 2, images);
  // The first step's update leaves nothing finite, the second's loss shows it, and no third is run.
  const std::vector<double> learning_rates{std::numeric_limits<double>::infinity(), 0.1, 0.1, 0.1};
  const Metrics metrics =
      executor->train({.samples = samples, .batch_size = 10, .learning_rates = learning_rates, .first_step = 101});
  EXPECT_EQ(metrics.first_non_finite_step, 102);
  EXPECT_EQ(metrics.count, 20);
}

TEST(CpuExecutor, SaysWhatDoesNotFit) {
  const ExecutorSettings settings = settings_for(OptimizerKind::sgd);
  const auto executor = make_cpu_executor(settings, 1);
  EXPECT_EQ(executor->device(), "cpu");
  EXPECT_FALSE(executor->double_precision());
  const std::vector<std::uint32_t> samples{0};
  EXPECT_THROW(executor->evaluate(Split::test, samples), Error);
  EXPECT_THROW(executor->set_state({.parameters = {1, 2}, .optimizer_slots = {}}), Error);
  EXPECT_THROW(executor->gradients({}), Error);
  EXPECT_THROW(make_cpu_executor(settings, 0), Error);
}

}  // namespace
}  // namespace touchstone
