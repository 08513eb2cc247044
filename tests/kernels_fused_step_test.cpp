// SPDX-License-Identifier: Apache-2.0
//
// The fused step: networks of many forms against the reference executor and the layered path, and against itself: in
// one cooperative launch, in graphs and launch by launch, under other schedules, step by step.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/divisor.h"
#include "kernels/fused_step_fixed.h"
#include "kernels/fused_step_plan.h"
#include "kernels_executor_inputs.h"
#include "kernels_support.h"
#include "plan_builder.h"
#include "touchstone/error.h"
#include "touchstone/executor.h"
#include "touchstone/random.h"

namespace touchstone::test {
namespace {

using ::testing::HasSubstr;
using testing::PlanBuilder;
using ::testing::ThrowsMessage;

struct BlockForm {
  std::int64_t filters;
  std::int64_t kernel;
  std::int64_t pool;
};

/// A network of blocks and a dense layer.
struct Form {
  std::string name;
  ImageShape image;
  std::vector<BlockForm> blocks;
  std::int64_t classes = 4;
  bool tensor_cores = false;  ///< they can take it, on the second emulated device and on GPUs that have fast ones

  /// The device that it is tested on.
  [[nodiscard]] int device() const { return backend::emulated_build && tensor_cores ? 1 : 0; }

  [[nodiscard]] ExecutionPlan plan() const {
    PlanBuilder builder(image.count());
    std::int64_t channels = image.channels;
    std::int64_t height = image.height;
    std::int64_t width = image.width;
    for (const BlockForm& block : blocks) {
      const Conv2dShape conv2d{.channels = channels,
                               .height = height,
                               .width = width,
                               .filters = block.filters,
                               .kernel_h = block.kernel,
                               .kernel_w = block.kernel};
      const Conv2dMaxpoolSigmoidShape shape{.conv2d = conv2d, .pool = block.pool};
      builder.conv2d(conv2d).maxpool(shape.maxpool()).sigmoid();
      channels = block.filters;
      height = shape.out_h();
      width = shape.out_w();
    }
    return builder.dense(classes).plan();
  }
};

const std::vector<Form>& forms() {
  static const std::vector<Form> all = {
      {"two blocks, 5x5", {1, 16, 20}, {{5, 5, 2}, {6, 3, 2}}},
      {"as seed, smaller", {1, 20, 24}, {{4, 5, 2}, {8, 5, 2}}, 10},
      {"three channels, three blocks", {3, 23, 26}, {{4, 3, 2}, {5, 3, 2}, {6, 3, 2}}},
      {"3x3 throughout", {2, 14, 18}, {{9, 3, 2}, {3, 3, 2}}},
      {"one block", {1, 9, 11}, {{7, 3, 2}}},
      {"windows of 3x3", {1, 18, 23}, {{5, 3, 3}, {6, 3, 3}}},
      {"kernels of 7 and 1", {2, 17, 21}, {{4, 7, 3}, {5, 1, 2}}},
      {"kernels of 7 and 5", {1, 24, 22}, {{3, 7, 2}, {4, 5, 2}}},
      {"kernels of 1 and 5, windows of 2 and 3", {1, 16, 19}, {{3, 1, 2}, {4, 5, 3}}},
      {"one filter, one window", {1, 4, 4}, {{1, 3, 2}}, 2},
      {"parameters once in the emulated device's shared memory", {1, 28, 28}, {{8, 5, 2}, {16, 5, 2}}, 10},
      {"parameters through its caches", {1, 16, 16}, {{32, 3, 2}, {40, 3, 2}}},
      {"many classes", {1, 8, 9}, {{3, 3, 2}}, 37},
      {"3x3, by tensor cores", {1, 12, 14}, {{8, 3, 2}, {16, 3, 2}}, 4, true},
      {"seed, by tensor cores", {1, 28, 28}, {{8, 5, 2}, {16, 5, 2}}, 10, true},
      {"a row of windows of odd length, by tensor cores", {1, 11, 15}, {{16, 3, 2}}, 4, true},
      {"three blocks of 3x3, by tensor cores", {1, 26, 30}, {{8, 3, 2}, {16, 3, 2}, {16, 3, 2}}, 5, true},
      {"three channels, 5x5, by tensor cores", {3, 18, 20}, {{16, 5, 2}, {16, 5, 2}}, 4, true},
      {"more filters, by tensor cores", {1, 10, 13}, {{8, 3, 2}, {32, 3, 2}}, 4, true},
      {"more pixels than a tile, and windows than a chunk, by tensor cores",
       {1, 34, 19},
       {{8, 3, 2}, {16, 3, 2}},
       3,
       true},
  };
  return all;
}

constexpr std::int64_t most_samples = 150;

ExecutorSettings settings_of(const Form& form, OptimizerKind kind = OptimizerKind::sgd, std::int64_t batch_size = 8) {
  return {.plan = form.plan(),
          .normalisation = {.mean = 0.5, .std = 0.29},
          .optimizer = {.kind = kind, .momentum = kind == OptimizerKind::sgd ? 0.9 : 0.0, .weight_decay = 0.01},
          .batch_size = batch_size};
}

void prepare(Executor& executor, const Form& form, const ExecutorSettings& settings) {
  executor.upload(Split::training, random_images(form.image, form.classes, most_samples, 18));
  executor.upload(Split::test, random_images(form.image, form.classes, 11, 18));
  executor.set_state(random_state(settings, 19));
}

constexpr CudaOptions fused_options = {.path = PathRequest::fused};

std::unique_ptr<Executor> prepared(const Form& form, const ExecutorSettings& settings,
                                   CudaOptions options = fused_options) {
  options.index = form.device();
  std::unique_ptr<Executor> executor = backend::make_executor(settings, options);
  prepare(*executor, form, settings);
  return executor;
}

std::unique_ptr<Executor> prepared_reference(const Form& form, const ExecutorSettings& settings) {
  std::unique_ptr<Executor> executor = make_reference_executor(settings);
  prepare(*executor, form, settings);
  return executor;
}

Metrics train(Executor& executor, std::int64_t samples, std::int64_t batch_size) {
  const std::vector<std::uint32_t> order = sample_order(static_cast<std::size_t>(samples));
  std::vector<double> rates;
  for (std::int64_t done = 0; done < samples; done += batch_size) {
    rates.push_back(0.05 / static_cast<double>(rates.size() + 1));
  }
  return executor.train({.samples = order, .batch_size = batch_size, .learning_rates = rates, .first_step = 1});
}

class FusedStepTest : public KernelTest {};

TEST_F(FusedStepTest, GradientsAreThoseOfTheReferenceForEachForm) {
  for (const Form& form : forms()) {
    SCOPED_TRACE(form.name);
    const ExecutorSettings settings = settings_of(form);
    const std::unique_ptr<Executor> executor = prepared(form, settings);
    EXPECT_EQ(executor->path().name, "fused");
    if (backend::emulated_build) {
      EXPECT_EQ(executor->path().tensor_cores, form.tensor_cores);
    }
    const std::vector<std::uint32_t> samples = sample_order(19);  // more than a batch
    const std::vector<double> expected = prepared_reference(form, settings)->gradients(samples);
    const std::vector<double> gradients = executor->gradients(samples);
    ASSERT_EQ(gradients.size(), expected.size());
    EXPECT_GT(largest(expected), 1e-3);
    for (const Operation& operation : settings.plan.operations) {  // each layer by its own measure
      const ParameterSlot& slot = operation.parameters;
      const auto part = [&](const std::vector<double>& all, std::int64_t begin, std::int64_t count) {
        return std::vector<double>(all.begin() + begin, all.begin() + begin + count);
      };
      for (const auto& [begin, count] :
           {std::pair(slot.weights, slot.weights_count), std::pair(slot.bias, slot.bias_count)}) {
        const std::vector<double> wanted = part(expected, begin, count);
        EXPECT_LE(largest_difference(part(gradients, begin, count), wanted), 2e-5 * largest(wanted)) << begin;
      }
    }
  }
}

// What no bound shows, since bounds allow all roundings to point the same way: a factor of which a part is lost.
TEST_F(FusedStepTest, ByTensorCoresGradientsAreNearlyAsExactAsByMultiplyAdds) {
  const Form& form = *std::find_if(forms().begin(), forms().end(),
                                   [](const Form& each) { return each.name == "seed, by tensor cores"; });
  const ExecutorSettings settings = settings_of(form);
  const std::vector<std::uint32_t> samples = sample_order(64);
  const std::vector<double> expected = prepared_reference(form, settings)->gradients(samples);
  const auto errors = [&](const CudaOptions& options) {
    const std::vector<double> gradients = prepared(form, settings, options)->gradients(samples);
    std::vector<double> of_tensors;  // root mean squares
    for (const Operation& operation : settings.plan.operations) {
      const ParameterSlot& slot = operation.parameters;
      for (const auto& [begin, count] :
           {std::pair(slot.weights, slot.weights_count), std::pair(slot.bias, slot.bias_count)}) {
        double squares = 0;
        for (std::int64_t i = begin; i < begin + count; ++i) {
          const double error = gradients[static_cast<std::size_t>(i)] - expected[static_cast<std::size_t>(i)];
          squares += error * error;
        }
        if (count > 0) of_tensors.push_back(std::sqrt(squares / static_cast<double>(count)));
      }
    }
    return of_tensors;
  };
  const std::vector<double> by_tensor_cores = errors(fused_options);
  const std::vector<double> by_multiply_adds = errors({.tensor_cores = false, .path = PathRequest::fused});
  ASSERT_EQ(by_tensor_cores.size(), 6U);
  for (std::size_t i = 0; i < by_tensor_cores.size(); ++i) {
    EXPECT_GT(by_tensor_cores[i], 0) << i;
    EXPECT_LT(by_tensor_cores[i], 4 * by_multiply_adds[i]) << i;
  }
}

TEST_F(FusedStepTest, LogitsAndEvaluationAreThoseOfTheReferenceForEachForm) {
  for (const Form& form : forms()) {
    SCOPED_TRACE(form.name);
    const ExecutorSettings settings = settings_of(form);
    const std::unique_ptr<Executor> executor = prepared(form, settings);
    const std::unique_ptr<Executor> reference = prepared_reference(form, settings);
    const std::vector<std::uint32_t> samples = sample_order(11);
    const std::vector<float> logits = executor->logits(Split::test, samples);
    const std::vector<float> expected = reference->logits(Split::test, samples);
    ASSERT_EQ(logits.size(), expected.size());
    EXPECT_LT(largest_difference(to_doubles(logits), to_doubles(expected)), 1e-5);
    const Metrics metrics = executor->evaluate(Split::test, samples);
    const Metrics wanted = reference->evaluate(Split::test, samples);
    EXPECT_NEAR(metrics.loss_sum, wanted.loss_sum, 1e-4);
    EXPECT_EQ(metrics.correct, wanted.correct);
    EXPECT_EQ(metrics.count, 11);
  }
}

/// The first form that tensor cores can take, or that they cannot.
const Form& first_form(bool tensor_cores) {
  return *std::find_if(forms().begin(), forms().end(),
                       [&](const Form& form) { return form.tensor_cores == tensor_cores; });
}

/// What holds for both ways of taking products.
class EitherFusedStepTest : public KernelTest, public ::testing::WithParamInterface<bool> {};

INSTANTIATE_TEST_SUITE_P(Products, EitherFusedStepTest, ::testing::Bool(),
                         [](const auto& test) { return test.param ? "TensorCores" : "MultiplyAdds"; });

TEST_P(EitherFusedStepTest, TrainsAsTheReferenceWithEachOptimizerAndBatchSize) {
  const Form& form = first_form(GetParam());
  for (const OptimizerKind kind : {OptimizerKind::sgd, OptimizerKind::adam, OptimizerKind::adamw}) {
    for (const std::int64_t batch_size : {1, 7, 30}) {
      SCOPED_TRACE(std::string(to_string(kind)) + ", batches of " + std::to_string(batch_size));
      const ExecutorSettings settings = settings_of(form, kind, batch_size);
      const std::unique_ptr<Executor> executor = prepared(form, settings);
      const std::unique_ptr<Executor> reference = prepared_reference(form, settings);
      const std::int64_t samples = 3 * batch_size + (batch_size + 1) / 2;  // the last batch is smaller
      const Metrics metrics = train(*executor, samples, batch_size);
      const Metrics expected = train(*reference, samples, batch_size);
      EXPECT_EQ(metrics.count, samples);
      EXPECT_EQ(metrics.correct, expected.correct);
      EXPECT_EQ(metrics.first_non_finite_step, -1);
      EXPECT_NEAR(metrics.loss_sum, expected.loss_sum, 1e-4 * expected.loss_sum);
      const std::vector<double> parameters = executor->state().parameters;
      EXPECT_GT(largest_difference(parameters, random_state(settings, 19).parameters), 1e-3);
      EXPECT_LT(largest_difference(parameters, reference->state().parameters), 2e-4);
    }
  }
}

TEST_F(FusedStepTest, TrainsNearlyAsTheLayeredPath) {
  for (const Form& form : forms()) {
    SCOPED_TRACE(form.name);
    const ExecutorSettings settings = settings_of(form);
    const std::unique_ptr<Executor> fused = prepared(form, settings);
    const std::unique_ptr<Executor> layered = prepared(form, settings, {.path = PathRequest::layered});
    EXPECT_EQ(layered->path().name, "layered");
    const Metrics metrics = train(*fused, 20, 8);
    const Metrics expected = train(*layered, 20, 8);
    EXPECT_NEAR(metrics.loss_sum, expected.loss_sum, 1e-5 * expected.loss_sum);
    EXPECT_LT(largest_difference(fused->state().parameters, layered->state().parameters), 1e-5);
  }
}

TEST_P(EitherFusedStepTest, OneLaunchGraphsAndSingleLaunchesGiveTheSameBits) {
  for (const OptimizerKind kind : {OptimizerKind::sgd, OptimizerKind::adam}) {
    const Form& form = GetParam() ? first_form(true) : forms()[1];
    const ExecutorSettings settings = settings_of(form, kind, 3);
    const auto outcome = [&](CudaOptions options) {
      options.path = PathRequest::fused;
      const std::unique_ptr<Executor> executor = prepared(form, settings, options);
      const Metrics metrics = train(*executor, 110, 3);  // a first step, two graphs, and some steps beyond
      EXPECT_EQ(metrics.count, 110);
      return std::pair(executor->state(), metrics.loss_sum);
    };
    const auto [persistent, persistent_loss] = outcome({});
    for (const CudaOptions& options : {CudaOptions{.persistent = false}, CudaOptions{.graph = false}}) {
      const auto [state, loss] = outcome(options);
      EXPECT_EQ(state.parameters, persistent.parameters) << options.graph;
      EXPECT_EQ(state.optimizer_slots, persistent.optimizer_slots) << options.graph;
      EXPECT_EQ(loss, persistent_loss) << options.graph;
    }
  }
}

TEST_P(EitherFusedStepTest, MoreSamplesThanPartsAndThanBlocks) {
  const Form& form = GetParam() ? forms()[15] : forms()[4];
  const ExecutorSettings settings = settings_of(form, OptimizerKind::sgd, most_samples);
  const std::vector<std::uint32_t> samples = sample_order(most_samples);
  const std::vector<double> expected = prepared_reference(form, settings)->gradients(samples);
  const std::unique_ptr<Executor> executor = prepared(form, settings);
  EXPECT_LT(largest_difference(executor->gradients(samples), expected), 2e-5 * largest(expected));
  const std::unique_ptr<Executor> launches =
      prepared(form, settings, {.path = PathRequest::fused, .persistent = false});
  train(*executor, most_samples, most_samples);
  train(*launches, most_samples, most_samples);
  EXPECT_EQ(executor->state().parameters, launches->state().parameters);
}

TEST_P(EitherFusedStepTest, OneCallGivesTheSameBitsAsACallAStep) {
  const Form& form = first_form(GetParam());
  const ExecutorSettings settings = settings_of(form, OptimizerKind::adam);
  const std::unique_ptr<Executor> whole = prepared(form, settings);
  const std::unique_ptr<Executor> stepwise = prepared(form, settings);
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

TEST_F(FusedStepTest, ReportsTheFirstStepWhoseLossIsNotFinite) {
  const Form& form = forms().front();
  const ExecutorSettings settings = settings_of(form);
  const std::unique_ptr<Executor> executor = prepared(form, settings);
  const std::vector<std::uint32_t> order = sample_order(29);
  const std::vector<double> rates = {0.01, std::numeric_limits<double>::infinity(), 0.01, 0.01};
  const Metrics metrics =
      executor->train({.samples = order, .batch_size = 8, .learning_rates = rates, .first_step = 41});
  EXPECT_EQ(metrics.first_non_finite_step, 43);
}

TEST_F(FusedStepTest, TrainingOverNothingChangesNothing) {
  const Form& form = forms().front();
  const ExecutorSettings settings = settings_of(form);
  const std::unique_ptr<Executor> executor = prepared(form, settings);
  EXPECT_EQ(executor->train({.samples = {}, .batch_size = 8, .learning_rates = {}, .first_step = 1}).count, 0);
  EXPECT_EQ(executor->evaluate(Split::test, {}).count, 0);
  EXPECT_EQ(executor->state().parameters, random_state(settings, 19).parameters);
}

/// Shared memory of a block of an H100.
constexpr std::size_t hopper = 232448;

TEST_F(FusedStepTest, TensorCoresTakeWhatHasTheirFormAndFits) {
  const auto plan = [](const Form& form, std::size_t limit = hopper) {
    return backend::plan_fused_step(form.plan(), limit, true);
  };
  const Form& seed = forms()[14];
  ASSERT_TRUE(plan(seed).shape.has_value());
  EXPECT_TRUE(plan(seed).shape->by_tensor_cores);
  EXPECT_TRUE(*plan(seed).shape == backend::seed_shape()) << "the kernels compiled for seed are not those for its plan";
  EXPECT_EQ(plan(seed).shape->shared_bytes(), 194960);
  EXPECT_THAT(plan(seed).reason, HasSubstr("by tensor cores"));
  EXPECT_FALSE(plan(seed, 166912).shape->by_tensor_cores) << "there is no room for it";
  EXPECT_FALSE(backend::plan_fused_step(seed.plan(), hopper, false).shape->by_tensor_cores);
  for (const Form& form : {Form{"seven filters", {1, 16, 16}, {{7, 3, 2}}},
                           Form{"windows of 3x3", {1, 16, 16}, {{8, 3, 3}}}, Form{"7x7", {1, 16, 16}, {{8, 7, 2}}},
                           Form{"eight filters behind the first block", {1, 16, 16}, {{8, 3, 2}, {8, 3, 2}}},
                           Form{"mixed kernels", {1, 20, 20}, {{8, 5, 2}, {16, 3, 2}}}}) {
    ASSERT_TRUE(plan(form).shape.has_value()) << form.name;
    EXPECT_FALSE(plan(form).shape->by_tensor_cores) << form.name;
  }
  CudaOptions without{.index = seed.device(), .tensor_cores = false};
  EXPECT_FALSE(backend::execution_path(seed.plan(), without).tensor_cores);
}

TEST_F(FusedStepTest, TheShapeIsWhatFitsIntoSharedMemory) {
  const ExecutionPlan seed = Form{"seed", {1, 28, 28}, {{8, 5, 2}, {16, 5, 2}}, 10}.plan();
  const ExecutionPlan four_times = Form{"wide", {1, 28, 28}, {{32, 5, 2}, {64, 5, 2}}, 10}.plan();
  const backend::FusedStepPlan large = backend::plan_fused_step(seed, 232448, false);
  ASSERT_TRUE(large.shape.has_value());
  EXPECT_EQ(large.shape->residency, backend::FusedResidency::both);
  EXPECT_EQ(large.shape->block[1].forward_splits, 8);
  EXPECT_EQ(large.shape->block[0].filter_splits, 48);
  EXPECT_EQ(large.shape->block[1].filter_splits, 1);
  EXPECT_EQ(large.shape->block[1].filter_threads, 128);
  EXPECT_EQ(large.shape->block[1].data_threads, 384);
  EXPECT_THAT(large.reason, HasSubstr("of shared memory"));
  // By the shared memory of a block: what scripts/kernel-resources knows of those of 64 KB and more.
  for (const auto& [limit, bytes] : {std::pair<std::size_t, std::size_t>{232448, 118000},
                                     {166912, 118000},
                                     {101376, 98032},
                                     {65536, 64016},
                                     {49152, 46800}}) {
    const backend::FusedStepPlan plan = backend::plan_fused_step(seed, limit, false);
    ASSERT_TRUE(plan.shape.has_value()) << limit << ": " << plan.reason;
    EXPECT_EQ(plan.shape->shared_bytes(), bytes);
  }
  const backend::FusedStepPlan turing = backend::plan_fused_step(seed, 65536, false);
  EXPECT_EQ(turing.shape->residency, backend::FusedResidency::packed);
  EXPECT_EQ(turing.shape->block[1].filter_parts_at, -1);  // to the gradient at once: the first block needs the room
  EXPECT_GE(turing.shape->block[0].filter_splits, 16);
  const backend::FusedStepPlan ada = backend::plan_fused_step(seed, 101376, false);
  EXPECT_EQ(ada.shape->residency, backend::FusedResidency::both);
  EXPECT_GE(ada.shape->block[1].filter_parts_at, 0);
  EXPECT_EQ(backend::execution_path(seed).name, "fused");
  const backend::FusedStepPlan small = backend::plan_fused_step(seed, 8192, false);
  EXPECT_FALSE(small.shape.has_value());
  EXPECT_THAT(small.reason, HasSubstr("more than the 8 KB of shared memory"));
  const backend::FusedStepPlan wide = backend::plan_fused_step(four_times, 232448, false);
  ASSERT_TRUE(wide.shape.has_value()) << wide.reason;
  EXPECT_EQ(wide.shape->residency, backend::FusedResidency::none);
  EXPECT_EQ(wide.shape->block[1].data_threads, backend::fused_threads);
  EXPECT_EQ(wide.shape->block[1].filter_threads, backend::fused_threads);
}

// Why the fused step cannot run a network, as its path says it.
void expect_reason(const ExecutionPath& path, const std::string& name, const std::string& reason) {
  EXPECT_EQ(path.name, name);
  EXPECT_THAT(path.detail, HasSubstr(reason));
}

TEST_F(FusedStepTest, FusesBlocksWhereItCannotRunANetwork) {
  const auto expect_blocks = [](const ExecutionPlan& plan, const std::string& reason) {
    expect_reason(backend::execution_path(plan), "fused", "of convolution, max-pool and sigmoid; not whole steps");
    expect_reason(backend::execution_path(plan), "fused", reason);
    expect_reason(backend::execution_path(plan, fused_options), "fused", reason);
    expect_reason(backend::execution_path(plan, {.path = PathRequest::layered}), "layered", "asked");
  };
  expect_blocks(Form{"", {1, 12, 12}, {{3, 2, 2}}}.plan(), "kernel is 2x2");
  expect_blocks(Form{"", {1, 200, 200}, {{3, 3, 2}}}.plan(), "shared memory");
  const Form five{"", {1, 70, 70}, {{1, 3, 2}, {1, 3, 2}, {1, 3, 2}, {1, 1, 2}, {1, 1, 2}}};
  expect_blocks(five.plan(), "5 blocks");
  ExecutionPlan autoencoder = Form{"", {1, 12, 12}, {{3, 3, 2}}}.plan();
  autoencoder.loss = Loss::half_squared_error;
  expect_blocks(autoencoder, "half the squared error");
}

TEST_F(FusedStepTest, SaysWhyNothingOfANetworkCanBeFused) {
  const auto expect_layered = [](const ExecutionPlan& plan, const std::string& reason) {
    EXPECT_THAT([&] { static_cast<void>(backend::execution_path(plan, fused_options)); },
                ThrowsMessage<UsageError>(::testing::AllOf(HasSubstr(reason), HasSubstr("--path layered"))));
    expect_reason(backend::execution_path(plan), "layered", reason);
  };
  expect_layered(PlanBuilder(12).dense(3).plan(), "no convolution");
  expect_layered(PlanBuilder(12).dense(3).tied_dense(0).autoencoder(1), "half the squared error");
  expect_layered(PlanBuilder(12).dense(5).sigmoid().sigmoid().dense(3).plan(), "not blocks");
  expect_layered(
      PlanBuilder(100)
          .conv2d(
              {.height = 10, .width = 10, .filters = 2, .kernel_h = 3, .kernel_w = 3, .padding_h = 1, .padding_w = 1})
          .maxpool(
              {.channels = 2, .height = 10, .width = 10, .kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2})
          .sigmoid()
          .dense(3)
          .plan(),
      "padding");
}

#ifdef TOUCHSTONE_EMULATED
TEST_F(FusedStepTest, DivisorsDivide) {
  for (const int divisor : {1, 2, 3, 5, 7, 31, 32, 33, 144, 640, 1009, 4093, 32768, 65535}) {
    const backend::Divisor by = backend::make_divisor(divisor);
    for (int number = 0; number < 65536; ++number) {
      ASSERT_EQ(number / by, number / divisor) << number << " / " << divisor;
    }
  }
  EXPECT_EQ(29'000'000 / backend::make_divisor(144), 29'000'000 / 144);
}

TEST_F(FusedStepTest, EveryScheduleGivesTheSameBits) {
  for (const std::size_t index : {std::size_t{1}, std::size_t{5}, std::size_t{6}, std::size_t{14}, std::size_t{17}}) {
    const Form& form = forms()[index];
    SCOPED_TRACE(form.name);
    const ExecutorSettings settings = settings_of(form, OptimizerKind::adamw);
    const auto outcome = [&] {
      const std::unique_ptr<Executor> executor =
          prepared(form, settings, {.memory = MemoryStrategy::guarded, .path = PathRequest::fused});
      const double loss = train(*executor, 21, 8).loss_sum;
      std::vector<double> all = executor->state().parameters;
      all.push_back(loss);
      return all;
    };
    const std::vector<double> first = outcome();
    for (const emulation::Options& options : emulation::standard_schedules) {
      emulation::configure(options);
      EXPECT_EQ(outcome(), first) << emulation::to_string(options.schedule);
    }
    emulation::configure({});
  }
}
#endif

}  // namespace
}  // namespace touchstone::test
