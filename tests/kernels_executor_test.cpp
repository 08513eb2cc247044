// SPDX-License-Identifier: Apache-2.0
//
// The executor on the device: against the reference executor, against itself under other schedules, with and without
// graphs, in an arena and with guarded tensors, and in the face of too little memory.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <limits>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels_executor_inputs.h"
#include "kernels_support.h"
#include "plan_builder.h"
#include "touchstone/error.h"
#include "touchstone/executor.h"
#include "touchstone/random.h"

namespace touchstone::test {
namespace {

using testing::PlanBuilder;

constexpr std::int64_t image_height = 12;
constexpr std::int64_t image_width = 14;
constexpr std::int64_t classes = 4;

// Two convolutions with pooled sigmoids behind them, and a dense layer: each kind of operation, as `seed` has them.
ExecutionPlan small_plan() {
  return PlanBuilder(image_height * image_width)
      .conv2d({.height = image_height, .width = image_width, .filters = 5, .kernel_h = 3, .kernel_w = 3})
      .maxpool({.channels = 5, .height = 10, .width = 12, .kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2})
      .sigmoid()
      .conv2d({.channels = 5, .height = 5, .width = 6, .filters = 6, .kernel_h = 3, .kernel_w = 3})
      .sigmoid()
      .dense(classes)
      .plan();
}

ExecutorSettings settings_with(OptimizerKind kind) {
  return {.plan = small_plan(),
          .normalisation = {.mean = 0.5, .std = 0.29},
          .optimizer = {.kind = kind, .momentum = kind == OptimizerKind::sgd ? 0.9 : 0.0, .weight_decay = 0.01},
          .batch_size = 8};
}

void prepare(Executor& executor, const ExecutorSettings& settings) {
  executor.upload(Split::training, random_images({1, image_height, image_width}, classes, 29, 8));
  executor.upload(Split::test, random_images({1, image_height, image_width}, classes, 11, 8));
  executor.set_state(random_state(settings, 9));
}

std::unique_ptr<Executor> prepared(const ExecutorSettings& settings, const CudaOptions& options = {}) {
  std::unique_ptr<Executor> executor = backend::make_executor(settings, options);
  prepare(*executor, settings);
  return executor;
}

// 29 samples in batches of 8, so that the last batch is smaller, `epochs` times over, each in one call.
Metrics train(Executor& executor, int epochs) {
  const std::vector<std::uint32_t> order = sample_order(29);
  const std::vector<double> rates = {0.05, 0.04, 0.03, 0.02};
  Metrics total;
  for (int epoch = 0; epoch < epochs; ++epoch) {
    total += executor.train(
        {.samples = order, .batch_size = 8, .learning_rates = rates, .first_step = 4 * std::int64_t{epoch} + 1});
  }
  return total;
}

// What a run leaves behind, to the bit.
struct Outcome {
  ExecutorState state;
  double loss_sum;
  std::int64_t correct;
};

Outcome outcome_of(const CudaOptions& options, OptimizerKind kind = OptimizerKind::sgd) {
  const std::unique_ptr<Executor> executor = prepared(settings_with(kind), options);
  const Metrics metrics = train(*executor, 3);
  return {executor->state(), metrics.loss_sum, metrics.correct};
}

void expect_same_bits(const Outcome& a, const Outcome& b, const std::string& what) {
  EXPECT_EQ(a.state.parameters, b.state.parameters) << what;
  EXPECT_EQ(a.state.optimizer_slots, b.state.optimizer_slots) << what;
  EXPECT_EQ(a.loss_sum, b.loss_sum) << what;
  EXPECT_EQ(a.correct, b.correct) << what;
}

class ExecutorTest : public KernelTest {};

TEST_F(ExecutorTest, GradientsAreThoseOfTheReference) {
  const ExecutorSettings settings = settings_with(OptimizerKind::sgd);
  const std::unique_ptr<Executor> executor = prepared(settings);
  const std::unique_ptr<Executor> reference = make_reference_executor(settings);
  prepare(*reference, settings);
  const std::vector<std::uint32_t> samples = sample_order(29);  // more than a batch
  const std::vector<double> expected = reference->gradients(samples);
  const std::vector<double> gradients = executor->gradients(samples);
  ASSERT_EQ(gradients.size(), expected.size());
  EXPECT_GT(largest(expected), 1e-3);
  EXPECT_LT(largest_difference(gradients, expected), 1e-5 * largest(expected));
}

TEST_F(ExecutorTest, LogitsAndEvaluationAreThoseOfTheReference) {
  const ExecutorSettings settings = settings_with(OptimizerKind::sgd);
  const std::unique_ptr<Executor> executor = prepared(settings);
  const std::unique_ptr<Executor> reference = make_reference_executor(settings);
  prepare(*reference, settings);
  const std::vector<std::uint32_t> samples = sample_order(11);
  const std::vector<float> logits = executor->logits(Split::test, samples);
  const std::vector<float> expected = reference->logits(Split::test, samples);
  ASSERT_EQ(logits.size(), 11U * classes);
  EXPECT_LT(largest_difference(to_doubles(logits), to_doubles(expected)), 1e-5);
  for (int repetition = 0; repetition < 3; ++repetition) {  // run, captured, replayed
    const Metrics metrics = executor->evaluate(Split::test, samples);
    const Metrics wanted = reference->evaluate(Split::test, samples);
    EXPECT_NEAR(metrics.loss_sum, wanted.loss_sum, 1e-4);
    EXPECT_EQ(metrics.correct, wanted.correct);
    EXPECT_EQ(metrics.count, 11);
  }
}

TEST_F(ExecutorTest, TrainsAsTheReferenceWithEachOptimizer) {
  for (const OptimizerKind kind : {OptimizerKind::sgd, OptimizerKind::adam, OptimizerKind::adamw}) {
    SCOPED_TRACE(to_string(kind));
    const ExecutorSettings settings = settings_with(kind);
    const std::unique_ptr<Executor> executor = prepared(settings);
    const std::unique_ptr<Executor> reference = make_reference_executor(settings);
    prepare(*reference, settings);
    const Metrics metrics = train(*executor, 3);
    const Metrics expected = train(*reference, 3);
    EXPECT_EQ(metrics.count, 3 * 29);
    EXPECT_EQ(metrics.first_non_finite_step, -1);
    EXPECT_NEAR(metrics.loss_sum, expected.loss_sum, 1e-4 * expected.loss_sum);
    const std::vector<double> parameters = executor->state().parameters;
    EXPECT_GT(largest_difference(parameters, random_state(settings, 9).parameters), 1e-3);
    EXPECT_LT(largest_difference(parameters, reference->state().parameters), 1e-4);
  }
}

TEST_F(ExecutorTest, GraphsGiveTheSameBitsAsSingleLaunches) {
  for (const OptimizerKind kind : {OptimizerKind::sgd, OptimizerKind::adamw}) {
    expect_same_bits(outcome_of({.graph = true}, kind), outcome_of({.graph = false}, kind), "graph off");
  }
}

TEST_F(ExecutorTest, ArenaGivesTheSameBitsAsGuardedTensors) {
  expect_same_bits(outcome_of({.memory = MemoryStrategy::arena}), outcome_of({.memory = MemoryStrategy::guarded}),
                   "guarded");
}

TEST_F(ExecutorTest, OneCallGivesTheSameBitsAsACallAStep) {
  const ExecutorSettings settings = settings_with(OptimizerKind::adam);
  const std::unique_ptr<Executor> whole = prepared(settings);
  const std::unique_ptr<Executor> stepwise = prepared(settings);
  const std::vector<std::uint32_t> order = sample_order(29);
  const std::vector<double> rates = {0.05, 0.04, 0.03, 0.02};
  whole->train({.samples = order, .batch_size = 8, .learning_rates = rates, .first_step = 1});
  for (std::size_t step = 0; step < rates.size(); ++step) {
    const std::size_t first = step * 8;
    stepwise->train({.samples = std::span(order).subspan(first, std::min<std::size_t>(8, order.size() - first)),
                     .batch_size = 8,
                     .learning_rates = std::span(rates).subspan(step, 1),
                     .first_step = static_cast<std::int64_t>(step) + 1});
  }
  EXPECT_EQ(whole->state().parameters, stepwise->state().parameters);
}

TEST_F(ExecutorTest, StateIsTakenBackAsItWasGiven) {
  const ExecutorSettings settings = settings_with(OptimizerKind::adam);
  const std::unique_ptr<Executor> first = prepared(settings);
  train(*first, 2);
  const std::unique_ptr<Executor> second = prepared(settings);
  second->set_state(first->state());
  train(*first, 1);
  train(*second, 1);
  EXPECT_EQ(first->state().parameters, second->state().parameters);
  EXPECT_EQ(first->state().optimizer_slots, second->state().optimizer_slots);
}

TEST_F(ExecutorTest, ASetCanBeReplaced) {
  const ExecutorSettings settings = settings_with(OptimizerKind::sgd);
  const std::unique_ptr<Executor> executor = prepared(settings);
  train(*executor, 2);
  executor->upload(Split::training, random_images({1, image_height, image_width}, classes, 64, 8));
  const std::vector<std::uint32_t> samples = {63, 0, 40};
  EXPECT_EQ(executor->evaluate(Split::training, samples).count, 3);
  EXPECT_THAT([&] { executor->evaluate(Split::test, samples); },
              ::testing::ThrowsMessage<Error>(::testing::HasSubstr("63")));
}

TEST_F(ExecutorTest, ReportsTheFirstStepWhoseLossIsNotFinite) {
  const ExecutorSettings settings = settings_with(OptimizerKind::sgd);
  const std::unique_ptr<Executor> executor = prepared(settings);
  const std::vector<std::uint32_t> order = sample_order(29);
  const std::vector<double> rates = {0.01, std::numeric_limits<double>::infinity(), 0.01, 0.01};
  const Metrics metrics =
      executor->train({.samples = order, .batch_size = 8, .learning_rates = rates, .first_step = 41});
  EXPECT_EQ(metrics.first_non_finite_step, 43);
}

TEST_F(ExecutorTest, TrainingOverNothingChangesNothing) {
  const ExecutorSettings settings = settings_with(OptimizerKind::sgd);
  const std::unique_ptr<Executor> executor = prepared(settings);
  EXPECT_EQ(executor->train({.samples = {}, .batch_size = 8, .learning_rates = {}, .first_step = 1}).count, 0);
  EXPECT_EQ(executor->evaluate(Split::test, {}).count, 0);
  EXPECT_EQ(executor->state().parameters, random_state(settings, 9).parameters);
}

TEST_F(ExecutorTest, AnUnknownDeviceIsNamed) {
  EXPECT_THAT([] { static_cast<void>(backend::make_executor(settings_with(OptimizerKind::sgd), {.index = 97})); },
              ::testing::ThrowsMessage<Error>(::testing::HasSubstr("GPU")));
}

#ifdef TOUCHSTONE_EMULATED
TEST_F(ExecutorTest, EveryScheduleGivesTheSameBits) {
  const Outcome first = outcome_of({.memory = MemoryStrategy::guarded});
  for (const emulation::Options& options : emulation::standard_schedules) {
    emulation::configure(options);
    expect_same_bits(first, outcome_of({.memory = MemoryStrategy::guarded}),
                     std::string(emulation::to_string(options.schedule)));
  }
}

TEST_F(ExecutorTest, TooLittleMemoryIsSaidWithABatchSizeThatFits) {
  emulation::configure({.memory_bytes = std::size_t{8} << 20U});
  ExecutorSettings settings = settings_with(OptimizerKind::sgd);
  settings.batch_size = 5000;
  EXPECT_THAT([&] { static_cast<void>(backend::make_executor(settings)); },
              ::testing::ThrowsMessage<Error>(::testing::AllOf(
                  ::testing::HasSubstr("out of device memory"), ::testing::HasSubstr("batches of 5000"),
                  ::testing::HasSubstr("8.0 MiB"), ::testing::HasSubstr("fits (--batch-size)"))));
  settings.batch_size = 8;
  EXPECT_NO_THROW(static_cast<void>(backend::make_executor(settings)));
}
#endif

}  // namespace
}  // namespace touchstone::test
