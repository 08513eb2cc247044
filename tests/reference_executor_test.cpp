// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/central_differences.h"
#include "tests/error_message.h"
#include "tests/plan_builder.h"
#include "tests/reference_values.h"
#include "touchstone/error.h"
#include "touchstone/executor.h"
#include "touchstone/plan.h"

namespace touchstone {
namespace {

using testing::central_differences;
using ::testing::Each;
using testing::expect_gradient;
using ::testing::HasSubstr;
using testing::PlanBuilder;
using testing::random_reals;
using Samples = std::vector<std::uint32_t>;

constexpr ImageShape image_shape{.channels = 2, .height = 7, .width = 6};
constexpr std::int64_t classes = 3;

/// conv 3@3x2 -> max-pool 2x3 -> sigmoid -> dense: [2,7,6] -> [3,5,5] -> [3,2,2] (overlapping columns) -> 3.
ExecutionPlan convolutional_plan() {
  return PlanBuilder(image_shape.count())
      .conv2d({.channels = 2, .height = 7, .width = 6, .filters = 3, .kernel_h = 3, .kernel_w = 2})
      .maxpool({.channels = 3, .height = 5, .width = 5, .kernel_h = 2, .kernel_w = 3, .stride_h = 2, .stride_w = 2})
      .sigmoid()
      .dense(classes)
      .plan();
}

/// A max-pool at the images, a convolution with stride and padding inside, two dense layers with a sigmoid between.
ExecutionPlan pool_first_plan() {
  return PlanBuilder(image_shape.count())
      .maxpool({.channels = 2, .height = 7, .width = 6, .kernel_h = 2, .kernel_w = 1, .stride_h = 2})
      .sigmoid()
      .conv2d({.channels = 2,
               .height = 3,
               .width = 6,
               .filters = 2,
               .kernel_h = 2,
               .kernel_w = 3,
               .stride_w = 2,
               .padding_h = 1,
               .padding_w = 2})
      .sigmoid()
      .dense(5)
      .sigmoid()
      .dense(classes)
      .plan();
}

/// A sigmoid straight at the images.
ExecutionPlan sigmoid_first_plan() { return PlanBuilder(image_shape.count()).sigmoid().dense(classes).plan(); }

ExecutionPlan untied_autoencoder() { return PlanBuilder(image_shape.count()).dense(5).dense(84).autoencoder(1); }

ExecutionPlan tied_autoencoder() { return PlanBuilder(image_shape.count()).dense(5).tied_dense(0).autoencoder(1); }

/// Weights that are used three times.
ExecutionPlan twice_tied_autoencoder() {
  return PlanBuilder(image_shape.count()).dense(5).sigmoid().tied_dense(0).dense(5).tied_dense(0).autoencoder(1);
}

/// Black images with label 0.
ImageSet black_images(std::int64_t count, const ImageShape& shape) {
  return {.count = count,
          .shape = shape,
          .pixels = PixelBuffer(static_cast<std::size_t>(count * shape.count())),
          .labels = std::vector<std::uint8_t>(static_cast<std::size_t>(count))};
}

/// Random images whose labels take turns.
SharedImageSet random_images(std::int64_t count, std::uint32_t stream) {
  ImageSet images = black_images(count, image_shape);
  for (std::size_t i = 0; i < images.pixels.size(); ++i) {
    images.pixels[i] = static_cast<std::uint8_t>(random_word(1, RandomPurpose::check, stream, i) >> 24U);
  }
  for (std::size_t i = 0; i < images.labels.size(); ++i) {
    images.labels[i] = static_cast<std::uint8_t>(i % classes);
  }
  return std::make_shared<const ImageSet>(std::move(images));
}

ExecutorSettings settings_for(const ExecutionPlan& plan, const OptimizerSettings& optimizer = {}) {
  return {.plan = plan, .normalisation = {.mean = 0.5, .std = 0.25}, .optimizer = optimizer, .batch_size = 4};
}

/// Random parameters where the plan has some, zeros in the gaps.
std::vector<double> random_parameters(const ExecutionPlan& plan, std::uint32_t stream) {
  const std::vector<double> values = random_reals(plan.parameter_floats, stream);
  std::vector<double> parameters(values.size());
  for (const Operation& operation : plan.operations) {
    const ParameterSlot& slot = operation.parameters;
    const auto copy = [&](std::int64_t begin, std::int64_t count) {
      std::copy_n(values.begin() + begin, count, parameters.begin() + begin);
    };
    copy(slot.weights, slot.weights_count);
    copy(slot.bias, slot.bias_count);
  }
  return parameters;
}

void set_parameters(Executor& executor, std::vector<double> parameters) {
  ExecutorState state = executor.state();
  state.parameters = std::move(parameters);
  executor.set_state(state);
}

/// An executor with random parameters that holds nine training images and four test images.
std::unique_ptr<Executor> make_loaded(const ExecutionPlan& plan, const OptimizerSettings& optimizer = {}) {
  std::unique_ptr<Executor> executor = make_reference_executor(settings_for(plan, optimizer));
  executor->upload(Split::training, random_images(9, 1));
  executor->upload(Split::test, random_images(4, 2));
  set_parameters(*executor, random_parameters(plan, 3));
  return executor;
}

Metrics train(Executor& executor, const Samples& samples, std::int64_t batch_size, const std::vector<double>& rates,
              std::int64_t first_step = 1) {
  return executor.train(
      {.samples = samples, .batch_size = batch_size, .learning_rates = rates, .first_step = first_step});
}

TEST(ReferenceExecutor, SaysWhatItIs) {
  const std::unique_ptr<Executor> executor = make_reference_executor(settings_for(convolutional_plan()));
  EXPECT_EQ(executor->device(), "reference");
  EXPECT_TRUE(executor->double_precision());
}

/// Six samples in batches of four: the gradient is of the mean over all six, however they are cut.
void expect_central_differences(const ExecutionPlan& plan, double step) {
  const Samples samples{8, 0, 3, 3, 5, 1};
  const std::unique_ptr<Executor> executor = make_loaded(plan);
  std::vector<double> parameters = executor->state().parameters;
  const std::vector<double> gradient = executor->gradients(samples);
  const auto objective = [&] {
    set_parameters(*executor, parameters);
    return executor->evaluate(Split::training, samples).mean_loss();
  };
  expect_gradient(gradient, central_differences(parameters, objective, step), 1e-8);
}

TEST(ReferenceExecutor, GradientsAgreeWithCentralDifferencesOfTheMeanLoss) {
  for (const ExecutionPlan& plan : {convolutional_plan(), pool_first_plan(), sigmoid_first_plan()}) {
    SCOPED_TRACE(plan.operations.front().layer + " first");
    expect_central_differences(plan, 0x1p-18);  // small, so that no max-pool changes its choice on the way
  }
}

TEST(ReferenceExecutor, AutoencodersGradientsAgreeWithCentralDifferences) {
  for (const ExecutionPlan& plan : {untied_autoencoder(), tied_autoencoder(), twice_tied_autoencoder()}) {
    SCOPED_TRACE(plan.operations.size());
    expect_central_differences(plan, 0x1p-10);
  }
}

// With Wd = We^T the tied gradient by We is the untied one by We plus the transpose of that by Wd.
TEST(ReferenceExecutor, TheTiedGradientIsTheSumThroughBothUses) {
  const Samples samples{8, 0, 3};
  const std::unique_ptr<Executor> tied = make_loaded(tied_autoencoder());
  const std::unique_ptr<Executor> untied = make_loaded(untied_autoencoder());
  const Operation encoder = tied_autoencoder().operations[0];
  const ExecutionPlan plan = untied_autoencoder();
  const Operation& decoder = plan.operations[1];
  const std::vector<double> shared = tied->state().parameters;
  std::vector<double> parameters(static_cast<std::size_t>(plan.parameter_floats));
  const auto at = [](std::int64_t begin, std::int64_t place) { return static_cast<std::size_t>(begin + place); };
  const std::int64_t tied_bias = tied_autoencoder().operations[1].parameters.bias;
  for (std::int64_t i = 0; i < decoder.parameters.weights; ++i) parameters[at(0, i)] = shared[at(0, i)];
  for (std::int64_t i = 0; i < 84; ++i) {
    parameters[at(decoder.parameters.bias, i)] = shared[at(tied_bias, i)];
    for (std::int64_t o = 0; o < 5; ++o) {
      parameters[at(decoder.parameters.weights, i * 5 + o)] = shared[at(encoder.parameters.weights, o * 84 + i)];
    }
  }
  set_parameters(*untied, parameters);
  EXPECT_EQ(tied->evaluate(Split::training, samples).loss_sum, untied->evaluate(Split::training, samples).loss_sum);
  const std::vector<double> sum = tied->gradients(samples);
  const std::vector<double> parts = untied->gradients(samples);
  for (std::int64_t o = 0; o < 5; ++o) {
    for (std::int64_t i = 0; i < 84; ++i) {
      const double expected =
          parts[at(encoder.parameters.weights, o * 84 + i)] + parts[at(decoder.parameters.weights, i * 5 + o)];
      EXPECT_NEAR(sum[at(encoder.parameters.weights, o * 84 + i)], expected, 1e-12 * (1 + std::abs(expected)));
    }
  }
}

TEST(ReferenceExecutor, AnAutoencoderIgnoresLabels) {
  const std::unique_ptr<Executor> executor = make_loaded(tied_autoencoder());
  const Metrics metrics = executor->evaluate(Split::test, Samples{0, 1, 2, 3});
  EXPECT_GT(metrics.loss_sum, 0);
  EXPECT_EQ(metrics.correct, 0);
  EXPECT_EQ(metrics.count, 4);
}

TEST(ReferenceExecutor, GradientsChangeNothingAndLeaveTheGapsZero) {
  const ExecutionPlan plan = convolutional_plan();
  const std::unique_ptr<Executor> executor = make_loaded(plan);
  const std::vector<double> before = executor->state().parameters;
  const std::vector<double> gradient = executor->gradients(Samples{0, 1, 2});
  EXPECT_EQ(executor->state().parameters, before);
  ASSERT_EQ(gradient.size(), before.size());
  std::int64_t gaps = 0;
  for (std::size_t i = 0; i < before.size(); ++i) {
    const bool gap = before[i] == 0;  // parameters are random, gaps zero
    gaps += gap ? 1 : 0;
    EXPECT_EQ(gradient[i] == 0, gap) << "element " << i;
  }
  EXPECT_EQ(gaps, plan.parameter_floats - (36 + 3 + 36 + 3));  // two layers' weights and biases
}

// Five samples in batches of three: the last batch has two, and its gradient is the mean over two.
TEST(ReferenceExecutor, AStepTakesTheMeanOverItsOwnBatch) {
  const ExecutionPlan plan = convolutional_plan();
  const std::unique_ptr<Executor> trained = make_loaded(plan);
  const Metrics metrics = train(*trained, {4, 2, 7, 0, 8}, 3, {0.5, 0.25});
  EXPECT_EQ(metrics.count, 5);

  const std::unique_ptr<Executor> stepped = make_loaded(plan);
  double loss_sum = 0;
  for (const auto& [samples, rate] : {std::pair<Samples, double>{{4, 2, 7}, 0.5}, {{0, 8}, 0.25}}) {
    loss_sum += stepped->evaluate(Split::training, samples).loss_sum;
    const std::vector<double> gradient = stepped->gradients(samples);
    std::vector<double> parameters = stepped->state().parameters;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      parameters[i] -= rate * gradient[i];
    }
    set_parameters(*stepped, parameters);
  }
  EXPECT_DOUBLE_EQ(metrics.loss_sum, loss_sum);
  EXPECT_EQ(trained->state().parameters, stepped->state().parameters);
}

TEST(ReferenceExecutor, LearnsASmallSetWithEveryOptimizer) {
  Samples epoch(9);
  std::iota(epoch.begin(), epoch.end(), 0U);
  Samples samples;
  for (int i = 0; i < 100; ++i) {
    samples.insert(samples.end(), epoch.begin(), epoch.end());
  }
  const std::vector<std::pair<OptimizerSettings, double>> recipes = {
      {{.kind = OptimizerKind::sgd, .momentum = 0.9}, 0.1},
      {{.kind = OptimizerKind::adam}, 0.02},
      {{.kind = OptimizerKind::adamw, .weight_decay = 0.01}, 0.02}};
  for (const auto& [optimizer, rate] : recipes) {
    SCOPED_TRACE(to_string(optimizer.kind));
    const std::unique_ptr<Executor> executor = make_loaded(convolutional_plan(), optimizer);
    const double before = executor->evaluate(Split::training, epoch).mean_loss();
    train(*executor, samples, 3, std::vector<double>(300, rate));
    const Metrics after = executor->evaluate(Split::training, epoch);
    EXPECT_EQ(after.accuracy(), 1);
    EXPECT_LT(after.mean_loss(), before / 10);
    for (const std::vector<double>& slot : executor->state().optimizer_slots) {
      EXPECT_EQ(slot.back(), 0) << "the gap behind the last bias";
    }
  }
}

TEST(ReferenceExecutor, EvaluationAgreesWithTheLogits) {
  const std::unique_ptr<Executor> executor = make_loaded(convolutional_plan());
  const Samples samples{3, 0, 0, 2, 1, 3, 2};  // more than a batch of four, some of them twice; labels 0 1 2 0
  const std::vector<std::uint8_t> labels{0, 0, 0, 2, 1, 0, 2};
  const std::vector<float> logits = executor->logits(Split::test, samples);
  ASSERT_EQ(logits.size(), samples.size() * classes);
  double loss_sum = 0;
  std::int64_t correct = 0;
  for (std::size_t n = 0; n < samples.size(); ++n) {
    const float* row = logits.data() + n * classes;
    loss_sum += std::log(std::exp(row[0]) + std::exp(row[1]) + std::exp(row[2])) - row[labels[n]];
    correct += std::max_element(row, row + classes) - row == labels[n] ? 1 : 0;
  }
  const Metrics metrics = executor->evaluate(Split::test, samples);
  EXPECT_EQ(metrics.count, 7);
  EXPECT_EQ(metrics.correct, correct);
  EXPECT_NEAR(metrics.loss_sum, loss_sum, 1e-5);  // the logits were rounded to float32
  EXPECT_EQ(metrics.first_non_finite_step, -1);
}

TEST(ReferenceExecutor, PixelsAreNormalised) {
  // One dense layer with a single weight of 1 at the first pixel: the first logit is (pixel / 255 - 0.5) / 0.25.
  const ExecutionPlan plan = PlanBuilder(image_shape.count()).dense(classes).plan();
  const std::unique_ptr<Executor> executor = make_loaded(plan);
  std::vector<double> parameters(static_cast<std::size_t>(plan.parameter_floats));
  parameters.front() = 1;
  set_parameters(*executor, parameters);
  const double pixel = random_images(4, 2)->image(2)[0];
  const std::vector<float> logits = executor->logits(Split::test, Samples{2});
  EXPECT_NEAR(logits.at(0), (pixel / 255 - 0.5) / 0.25, 4e-7);
  EXPECT_EQ(logits.at(1), 0);
}

TEST(ReferenceExecutor, NoSamplesGiveEmptyMetrics) {
  const std::unique_ptr<Executor> executor = make_loaded(convolutional_plan());
  EXPECT_EQ(executor->evaluate(Split::test, {}).count, 0);
  EXPECT_EQ(train(*executor, {}, 3, {}).count, 0);
  EXPECT_TRUE(executor->logits(Split::test, {}).empty());
  EXPECT_THROW(executor->gradients({}), Error);
}

TEST(ReferenceExecutor, ReportsTheFirstNonFiniteStepAndStops) {
  const std::unique_ptr<Executor> executor = make_loaded(convolutional_plan());
  // Steps 5, 6, 7, 8; the update of step 6 throws the parameters off, so the loss of step 7 is not finite.
  const Metrics metrics = train(*executor, {0, 1, 2, 3, 4, 5, 6, 7}, 2, {0.1, 1e308, 0.1, 0.1}, 5);
  EXPECT_EQ(metrics.first_non_finite_step, 7);
  EXPECT_FALSE(std::isfinite(metrics.loss_sum));
  EXPECT_EQ(metrics.count, 6) << "step 8 is not run";
}

TEST(ReferenceExecutor, ANanParameterShowsInTheFirstStep) {
  const std::unique_ptr<Executor> executor = make_loaded(convolutional_plan());
  std::vector<double> parameters = executor->state().parameters;
  parameters.front() = std::numeric_limits<double>::quiet_NaN();
  set_parameters(*executor, parameters);
  EXPECT_EQ(train(*executor, {0, 1}, 1, {0.1, 0.1}).first_non_finite_step, 1);
}

// Four steps at once, or two, the state carried into another executor, and two more: the same bits.
TEST(ReferenceExecutor, AStateCarriesARunOn) {
  const Samples samples{0, 5, 2, 8, 1, 3, 4, 7};
  for (const OptimizerKind kind : {OptimizerKind::sgd, OptimizerKind::adam, OptimizerKind::adamw}) {
    SCOPED_TRACE(to_string(kind));
    const OptimizerSettings optimizer{.kind = kind, .momentum = 0.9, .weight_decay = 0.01};
    const std::unique_ptr<Executor> whole = make_loaded(convolutional_plan(), optimizer);
    train(*whole, samples, 2, {0.1, 0.2, 0.3, 0.4});

    const std::unique_ptr<Executor> first = make_loaded(convolutional_plan(), optimizer);
    train(*first, {0, 5, 2, 8}, 2, {0.1, 0.2});
    const std::unique_ptr<Executor> second = make_loaded(convolutional_plan(), optimizer);
    second->set_state(first->state());
    train(*second, {1, 3, 4, 7}, 2, {0.3, 0.4}, 3);

    EXPECT_EQ(second->state().parameters, whole->state().parameters);
    EXPECT_EQ(second->state().optimizer_slots, whole->state().optimizer_slots);
  }
}

TEST(ReferenceExecutor, StartsFromZeros) {
  const ExecutionPlan plan = convolutional_plan();
  const ExecutorState state = make_reference_executor(settings_for(plan, {.kind = OptimizerKind::adam}))->state();
  EXPECT_EQ(state.parameters.size(), static_cast<std::size_t>(plan.parameter_floats));
  EXPECT_THAT(state.parameters, Each(0));
  ASSERT_EQ(state.optimizer_slots.size(), 2U);
  EXPECT_THAT(state.optimizer_slots[1], Each(0));
}

TEST(ReferenceExecutor, RefusesAStateOfAnotherSize) {
  const std::unique_ptr<Executor> executor = make_loaded(convolutional_plan());
  ExecutorState state = executor->state();
  state.parameters.pop_back();
  EXPECT_THAT(test::error_message([&] { executor->set_state(state); }),
              HasSubstr("values of parameters; the network has"));
  state = executor->state();
  state.optimizer_slots.emplace_back();
  EXPECT_EQ(test::error_message([&] { executor->set_state(state); }),
            "the executor state has 2 optimizer slots; sgd keeps 1");
  state = executor->state();
  state.optimizer_slots.front().push_back(0);
  EXPECT_THAT(test::error_message([&] { executor->set_state(state); }), HasSubstr("values of an optimizer slot"));
}

TEST(ReferenceExecutor, RefusesImagesThatDoNotFit) {
  const std::unique_ptr<Executor> executor = make_loaded(convolutional_plan());
  const auto upload = [&](const ImageSet& images) {
    return test::error_message([&] { executor->upload(Split::training, std::make_shared<const ImageSet>(images)); });
  };
  EXPECT_EQ(upload(black_images(1, {.channels = 1, .height = 32, .width = 32})),
            "the training images are 1x32x32; the network takes 2x7x6");
  // As many values, but turned:
  EXPECT_EQ(upload(black_images(1, {.channels = 2, .height = 6, .width = 7})),
            "the training images are 2x6x7; the network takes 2x7x6");

  ImageSet mislabelled = *random_images(20, 4);
  mislabelled.labels[17] = 12;
  EXPECT_EQ(upload(mislabelled), "training image 17 has label 12; the network has 3 classes (labels 0 to 2)");
  ImageSet unlabelled = *random_images(2, 4);
  unlabelled.labels.pop_back();
  EXPECT_EQ(upload(unlabelled), "the training set has 168 pixels and 1 labels; 2 images of 2x7x6 want 168 and 2");

  const std::unique_ptr<Executor> flat = make_loaded(sigmoid_first_plan());
  const auto small = std::make_shared<const ImageSet>(black_images(1, {.channels = 1, .height = 2, .width = 3}));
  EXPECT_EQ(test::error_message([&] { flat->upload(Split::test, small); }),
            "the test images are 1x2x3, which is 6 values; the network takes 84");
}

TEST(ReferenceExecutor, RefusesSamplesThatItDoesNotHold) {
  const std::unique_ptr<Executor> empty = make_reference_executor(settings_for(convolutional_plan()));
  EXPECT_EQ(test::error_message([&] { empty->evaluate(Split::test, Samples{0}); }),
            "no test images have been uploaded");
  const std::unique_ptr<Executor> executor = make_loaded(convolutional_plan());
  EXPECT_EQ(test::error_message([&] {
              train(*executor, {0, 9}, 2, {0.1});
            }),
            "training sample 9 was asked for; the set has 9 images");
}

TEST(ReferenceExecutor, RefusesStepsThatDoNotFit) {
  const std::unique_ptr<Executor> executor = make_loaded(convolutional_plan());
  EXPECT_EQ(test::error_message([&] {
              train(*executor, {0, 1, 2, 3, 4}, 5, {0.1});
            }),
            "the batch size of a training step is 5; this executor takes 1 to 4");
  EXPECT_EQ(test::error_message([&] {
              train(*executor, {0, 1, 2}, 2, {0.1});
            }),
            "1 learning rates are given for 2 training steps (3 samples in batches of 2)");
}

TEST(ReferenceExecutor, RefusesSettingsOutOfRange) {
  ExecutorSettings settings = settings_for(convolutional_plan());
  settings.batch_size = 0;
  EXPECT_EQ(test::error_message([&] { make_reference_executor(settings); }),
            "the batch size is 0; it must be at least 1");
  EXPECT_THROW(make_reference_executor(settings_for(convolutional_plan(), {.momentum = 2})), UsageError);
}

TEST(Metrics, AddUp) {
  Metrics total{.loss_sum = 1.5, .correct = 2, .count = 4};
  total += {.loss_sum = 0.5, .correct = 1, .count = 4, .first_non_finite_step = 9};
  EXPECT_EQ(total.loss_sum, 2);
  EXPECT_EQ(total.mean_loss(), 0.25);
  EXPECT_EQ(total.accuracy(), 0.375);
  EXPECT_EQ(total.first_non_finite_step, 9);
  total += {.first_non_finite_step = 12};
  EXPECT_EQ(total.first_non_finite_step, 9) << "the first stays";
  total += {};
  EXPECT_EQ(total.first_non_finite_step, 9);
}

}  // namespace
}  // namespace touchstone
