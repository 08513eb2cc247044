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

#include "host/check/bounded_gradients.h"
#include "host/check/check.h"
#include "host/check/network_check.h"
#include "host/check/reference_operations.h"
#include "host/check/rounded_tensor.h"
#include "tests/forwarding_executor.h"
#include "tests/tiny_data.h"
#include "touchstone/error.h"
#include "touchstone/model.h"

namespace touchstone::check {
namespace {

using testing::HasSubstr;

/// An executor that scales what another gives: 1 is right.
class ScaledExecutor : public test::ForwardingExecutor {
 public:
  ScaledExecutor(std::unique_ptr<Executor> right, double gradient_scale, double rate_scale)
      : ForwardingExecutor(std::move(right)), gradient_scale_(gradient_scale), rate_scale_(rate_scale) {}

  Metrics train(const TrainingSteps& steps) override {
    std::vector<double> rates(steps.learning_rates.begin(), steps.learning_rates.end());
    for (double& rate : rates) rate *= rate_scale_;
    TrainingSteps scaled = steps;
    scaled.learning_rates = rates;
    return right().train(scaled);
  }
  std::vector<double> gradients(std::span<const std::uint32_t> samples) override {
    std::vector<double> result = right().gradients(samples);
    for (double& gradient : result) gradient *= gradient_scale_;
    return result;
  }

 private:
  double gradient_scale_;
  double rate_scale_;
};

NetworkReport check_scaled(double gradient_scale, double rate_scale) {
  const NetworkRun run{
      .network = test::tiny_network(), .training = test::tiny_images(101, 1), .steps = 6, .batch_size = 16};
  return check_network(run, [=](const ExecutorSettings& settings) {
    return std::make_unique<ScaledExecutor>(make_cpu_executor(settings, 1), gradient_scale, rate_scale);
  });
}

TEST(NetworkCheck, PassesTheCpu) {
  const NetworkReport report = check_scaled(1, 1);
  ASSERT_EQ(report.gradients.size(), 3U);
  EXPECT_TRUE(report.gradients[2].ties);
  for (const GradientReport& gradients : report.gradients) {
    EXPECT_EQ(gradients.problem, "");
    EXPECT_GT(gradients.parameters, 0);
    EXPECT_GT(gradients.worst_ratio, 0);
    EXPECT_LT(gradients.loosest_bound, 0.01);
  }
  EXPECT_EQ(report.trajectory.problem, "");
  EXPECT_EQ(report.trajectory.steps, 6);
  EXPECT_GT(report.trajectory.drift, 0);
  EXPECT_GT(report.trajectory.reference_drift, 0);
  EXPECT_TRUE(report.passed());
}

TEST(NetworkCheck, PassesTheCpusAutoencoders) {
  for (const std::string& decoder : {test::untied_decoder, test::tied_decoder}) {
    const NetworkRun run{.network = test::tiny_autoencoder(decoder),
                         .training = test::tiny_images(101, 1),
                         .steps = 6,
                         .batch_size = 16};
    const NetworkReport report =
        check_network(run, [](const auto& settings) { return make_cpu_executor(settings, 2); });
    EXPECT_EQ(report.network, "tiny-autoencoder");
    for (const GradientReport& gradients : report.gradients) {
      EXPECT_EQ(gradients.problem, "");
      EXPECT_GT(gradients.worst_ratio, 0);
      EXPECT_EQ(gradients.passed_over, 0);
    }
    EXPECT_EQ(report.trajectory.problem, "");
    EXPECT_GT(report.trajectory.drift, 0);
  }
}

// As if the encoder forgot to add: its own use alone.
TEST(NetworkCheck, FindsATiedGradientThroughOneUseAlone) {
  const NetworkRun run{.network = test::tiny_autoencoder(test::tied_decoder),
                       .training = test::tiny_images(101, 1),
                       .steps = 1,
                       .batch_size = 16};
  const NetworkReport report = check_network(run, [](ExecutorSettings settings) {
    settings.plan.operations.front().adds_to_weights_gradient = false;
    return make_cpu_executor(settings, 1);
  });
  EXPECT_GT(report.gradients[0].wrong, 0);
  EXPECT_FALSE(report.passed());
}

TEST(NetworkCheck, FindsAWrongMean) {
  const NetworkReport report = check_scaled(16.0 / 15.0, 1);
  EXPECT_GT(report.gradients[0].wrong, 0);
  EXPECT_THAT(report.gradients[0].problem, HasSubstr("gradient["));
  EXPECT_EQ(report.trajectory.problem, "");
  EXPECT_FALSE(report.passed());
}

TEST(NetworkCheck, FindsAWrongLearningRate) {
  const NetworkReport report = check_scaled(1, 1.001);
  EXPECT_EQ(report.gradients[0].wrong, 0);
  EXPECT_THAT(report.trajectory.problem, HasSubstr("after step 1 "));
  EXPECT_FALSE(report.passed());
}

TEST(NetworkCheck, RefusesMoreStepsThanThereAreImages) {
  const NetworkRun run{
      .network = test::tiny_network(), .training = test::tiny_images(20, 1), .steps = 2, .batch_size = 16};
  EXPECT_THROW(check_network(run, [](const auto& settings) { return make_reference_executor(settings); }), Error);
}

TEST(BoundedGradients, AreThoseOfTheReferenceExecutor) {
  const Network network = test::tiny_network();
  const SharedImageSet images = test::tiny_images(24, 3);
  const ExecutorSettings settings{make_plan(network), compute_normalisation(*images), {}, 24};
  const std::vector<float> drawn = initial_parameters(network, 5);
  const std::vector<double> parameters(drawn.begin(), drawn.end());
  std::vector<std::uint32_t> samples(24);
  std::iota(samples.begin(), samples.end(), 0U);

  const std::unique_ptr<Executor> reference = make_reference_executor(settings);
  reference->upload(Split::training, images);
  reference->set_state({parameters, {std::vector<double>(parameters.size())}});
  const std::vector<double> expected = reference->gradients(samples);

  const PixelScale scale = settings.normalisation.pixel_scale();
  std::vector<double> pixels;
  for (std::int64_t i = 0; i < images->count * images->shape.count(); ++i)
    pixels.push_back(scale.value(images->pixels.data()[i]));
  const BoundedGradients bounded = bounded_gradients(settings.plan, parameters, pixels, images->labels);
  ASSERT_EQ(bounded.values.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_NEAR(bounded.values[i], expected[i], 1e-14 + bounded.bounds[i] * 0x1p-20) << i;
  }

  // By tensor cores the values are the same, and the bounds wider: those of the convolution's own gradients by what its
  // sums lose, and through it those of all others.
  const BoundedGradients by_tensor_cores =
      bounded_gradients(settings.plan, parameters, pixels, images->labels, {SumMethod::tensor_cores});
  EXPECT_EQ(by_tensor_cores.values, bounded.values);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    if (bounded.bounds[i] > 0) {
      EXPECT_GT(by_tensor_cores.bounds[i], bounded.bounds[i]) << i;
      EXPECT_LT(by_tensor_cores.bounds[i], 20 * bounded.bounds[i]) << i;
    }
  }
}

TEST(NetworkCheck, LeavesOutAPathByTensorCoresThatANetworkDoesNotTake) {
  const NetworkRun run{
      .network = test::tiny_network(), .training = test::tiny_images(101, 1), .steps = 2, .batch_size = 16};
  const ExecutorMaker cpu = [](const ExecutorSettings& settings) { return make_cpu_executor(settings, 1); };
  const std::vector<NetworkReport> reports =
      check_network(run, std::vector<ExecutorPath>{{"by tensor cores", cpu, true}, {"plain", cpu}});
  ASSERT_EQ(reports.size(), 1U);
  EXPECT_EQ(reports.front().path, "plain");
  EXPECT_THROW(check_network(run, std::vector<ExecutorPath>{{"by tensor cores", cpu, true}}), Error);
}

// As a path by tensor cores that a network takes.
class ScaledTensorExecutor final : public ScaledExecutor {
 public:
  using ScaledExecutor::ScaledExecutor;

  [[nodiscard]] ExecutionPath path() const override {
    ExecutionPath path = Executor::path();
    path.tensor_cores = true;
    return path;
  }
};

TEST(NetworkCheck, ComparesTheExactnessOfGradientsByTensorCores) {
  const NetworkRun run{
      .network = test::tiny_network(), .training = test::tiny_images(101, 1), .steps = 2, .batch_size = 16};
  const ExecutorMaker cpu = [](const ExecutorSettings& settings) { return make_cpu_executor(settings, 1); };
  const auto with_error = [&](double error) {
    const ExecutorMaker scaled = [=](const ExecutorSettings& settings) {
      return std::make_unique<ScaledTensorExecutor>(cpu(settings), 1 + error, 1);
    };
    return check_network(run, std::vector<ExecutorPath>{{"by tensor cores", scaled, true}, {"plain", cpu}});
  };
  const std::vector<NetworkReport> reports = with_error(0);
  ASSERT_EQ(reports.size(), 2U);
  ASSERT_TRUE(reports[0].exactness.has_value());
  EXPECT_EQ(reports[0].exactness->other, "plain");
  EXPECT_EQ(reports[0].exactness->problem, "");
  EXPECT_NEAR(reports[0].exactness->worst_ratio, 1 / ExactnessReport::allowance, 1e-9);
  EXPECT_FALSE(reports[1].exactness.has_value());
  EXPECT_TRUE(reports[0].passed());

  const NetworkReport lost = with_error(0x1p-18).front();  // within the bounds
  EXPECT_EQ(lost.gradients[0].problem, "");
  EXPECT_GT(lost.exactness->worst_ratio, 1);
  EXPECT_THAT(lost.exactness->problem, HasSubstr("gradients of the weights of conv1 are off by "));
  EXPECT_FALSE(lost.passed());
}

TEST(Exactness, IsJudgedTensorByTensor) {
  EXPECT_EQ(compare_exactness({4, 0.1}, {1, 2}, {"a", "b"}).problem, "");
  EXPECT_NEAR(compare_exactness({4, 0.1}, {1, 2}, {"a", "b"}).worst_ratio, 1, 1e-7);
  EXPECT_THAT(compare_exactness({1, 9}, {1, 2}, {"a", "b"}).problem, HasSubstr("gradients of the b are off by 9 "));
  EXPECT_EQ(compare_exactness({0}, {0}, {"a"}).problem, "");
  EXPECT_NE(compare_exactness({1}, {0}, {"a"}).problem, "");
  EXPECT_NE(compare_exactness({std::numeric_limits<double>::quiet_NaN()}, {1}, {"a"}).problem, "");
}

TEST(BoundedMaxpool, LeavesCloseChoicesOpenButNotTies) {
  const MaxpoolShape shape{.height = 1, .width = 6, .kernel_w = 2, .stride_w = 2};
  RoundedTensor input = RoundedTensor::exact({1, 1.05, 3, 3, 5, 7});
  for (double& error : input.errors) error = 0.1;
  const PooledTensor pooled = maxpool_forward(shape, input);
  EXPECT_EQ(pooled.close[0], (std::vector<std::int32_t>{1, 0}));
  EXPECT_TRUE(pooled.close[1].empty());
  EXPECT_TRUE(pooled.close[2].empty());
  EXPECT_NEAR(pooled.output.errors[0], 0.1, 1e-12);

  const RoundedTensor gradient = maxpool_backward(shape, RoundedTensor::exact({2, 4, 8}), pooled);
  EXPECT_EQ(gradient.values, (std::vector<double>{0, 2, 4, 0, 0, 8}));
  EXPECT_GE(gradient.errors[0], 2);
  EXPECT_GE(gradient.errors[1], 2);
  EXPECT_LT(gradient.errors[2], 1e-5);
  EXPECT_EQ(gradient.errors[3], 0);
}

TEST(Trajectory, MayDriftTenTimesAsFarAsTheReference) {
  EXPECT_EQ(judge({1, 20}, {{1, 1}, {0.1, 3}}).problem, "");
  const TrajectoryReport report = judge({1, 31}, {{1, 1}, {0.1, 3}});
  EXPECT_THAT(report.problem, HasSubstr("after step 2 "));
  EXPECT_EQ(report.worst_step, 2);
  EXPECT_NEAR(report.worst_ratio, 31.0 / 30, 1e-6);
  EXPECT_NE(judge({std::numeric_limits<double>::quiet_NaN()}, {{1}}).problem, "");
}

TEST(Trajectory, DriftIsADistance) {
  EXPECT_EQ(drifts({{0, 0}, {3, 4}}, {{0, 0}, {0, 0}}), (std::vector<double>{0, 5}));
}

TEST(Check, KnowsItsNamesAndRefusesOthers) {
  const auto operations = make_reference_operations();
  const auto maker = [](const ExecutorSettings& settings) { return make_reference_executor(settings); };
  EXPECT_EQ(check_names().size(), 28U);
  EXPECT_THROW(run_check(*operations, maker, {.names = {"conv3d"}}), UsageError);
}

TEST(Check, ReportsAsJson) {
  const auto operations = make_reference_operations();
  const auto maker = [](const ExecutorSettings& settings) { return make_reference_executor(settings); };
  CheckReport report = run_check(*operations, maker, {.names = {"gather", "sgd"}, .range = {.cases = 5}});
  EXPECT_TRUE(report.passed());
  const nlohmann::ordered_json json = to_json(report);
  EXPECT_EQ(json["device"], "reference");
  ASSERT_EQ(json["operations"].size(), 2U);
  EXPECT_EQ(json["operations"][1]["operation"], "gather");
  EXPECT_EQ(json["operations"][1]["cases"], 5);
  EXPECT_EQ(json["operations"][1]["failures"], 0);
  EXPECT_EQ(json["operations"][1]["worst_ratio"], 0);
  EXPECT_TRUE(json["trajectories"].empty());
  EXPECT_TRUE(json["trajectory"].is_null());
  EXPECT_EQ(json["passed"], true);
  report.operations[0].failed_cases = 1;
  report.operations[0].worst_ratio = std::numeric_limits<double>::infinity();
  EXPECT_EQ(to_json(report)["passed"], false);
  EXPECT_TRUE(to_json(report)["operations"][0]["worst_ratio"].is_null());
  EXPECT_EQ(repeat_command(report, "sgd", 57),
            "touchstone check --device reference --operation sgd --seed 1 --case 57");
  report.networks.emplace_back().trajectory.steps = 50;
  EXPECT_EQ(repeat_command(report, "network"), "touchstone check --device reference --operation network --seed 1");
  report.networks.front().trajectory.steps = 200;
  EXPECT_EQ(repeat_command(report, "network"),
            "touchstone check --device reference --operation network --seed 1 --steps 200");
}

}  // namespace
}  // namespace touchstone::check
