// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "host/check/executor_check.h"
#include "tests/error_message.h"
#include "tests/forwarding_executor.h"
#include "tests/tiny_data.h"
#include "touchstone/error.h"

namespace touchstone::check {
namespace {

using testing::HasSubstr;
using Samples = std::span<const std::uint32_t>;

/// An executor whose results are changed on their way; what has no change is right.
class ChangedExecutor final : public test::ForwardingExecutor {
 public:
  std::function<void(Metrics&)> change_steps;
  std::function<void(Metrics&)> change_evaluation;
  std::function<void(std::vector<float>&, Samples)> change_logits;
  std::function<void(std::vector<double>&)> change_rates;
  bool evaluates_training_set = false;

  using ForwardingExecutor::ForwardingExecutor;

  Metrics train(const TrainingSteps& steps) override {
    std::vector<double> rates(steps.learning_rates.begin(), steps.learning_rates.end());
    if (change_rates) change_rates(rates);
    TrainingSteps changed = steps;
    changed.learning_rates = rates;
    return with(change_steps, right().train(changed));
  }
  Metrics evaluate(Split split, Samples samples) override {
    return with(change_evaluation, right().evaluate(evaluates_training_set ? Split::training : split, samples));
  }
  std::vector<float> logits(Split split, Samples samples) override {
    std::vector<float> result = right().logits(split, samples);
    if (change_logits) change_logits(result, samples);
    return result;
  }

 private:
  static Metrics with(const std::function<void(Metrics&)>& change, Metrics metrics) {
    if (change) change(metrics);
    return metrics;
  }
};

/// The problems of a cpu executor that `change` was applied to, one a line.
std::string problems(const std::function<void(ChangedExecutor&)>& change) {
  const NetworkRun run{.network = test::tiny_network(), .training = test::tiny_images(101, 1), .batch_size = 12};
  std::string text;
  for (const PropertyReport& report : check_executor(run, [&change](const ExecutorSettings& settings) {
         auto executor = std::make_unique<ChangedExecutor>(make_cpu_executor(settings, 1));
         change(*executor);
         return executor;
       })) {
    EXPECT_NE(report.property, "");
    if (!report.problem.empty()) text += report.property + ": " + report.problem + "\n";
  }
  return text;
}

TEST(ExecutorCheck, PassesTheCpuAndTheReference) {
  EXPECT_EQ(problems([](ChangedExecutor&) {}), "");
  const NetworkRun run{.network = test::tiny_network(), .training = test::tiny_images(101, 1), .batch_size = 12};
  for (const PropertyReport& report : check_executor(run, make_reference_executor)) {
    EXPECT_EQ(report.problem, "") << report.property;
  }
}

TEST(ExecutorCheck, FindsLogitsOfTheFirstMiniBatchAlone) {
  EXPECT_THAT(problems([](ChangedExecutor& executor) {
                executor.change_logits = [](std::vector<float>& logits, Samples samples) {
                  const std::size_t classes = logits.size() / samples.size();
                  for (std::size_t i = 12 * classes; i < logits.size(); ++i) logits[i] = logits[i - 12 * classes];
                };
              }),
              HasSubstr("logits of several mini-batches, test set: logit[36] of the test set is "));
}

TEST(ExecutorCheck, FindsAnEvaluationOfTheOtherSet) {
  const std::string found = problems([](ChangedExecutor& executor) { executor.evaluates_training_set = true; });
  EXPECT_THAT(found, HasSubstr("metrics of an evaluation, test set: by the test logits"));
  EXPECT_THAT(found, testing::Not(HasSubstr("training set")));
}

TEST(ExecutorCheck, FindsALossThatIsOff) {
  EXPECT_THAT(problems([](ChangedExecutor& executor) {
                executor.change_evaluation = [](Metrics& metrics) { metrics.loss_sum *= 1 + 1e-5; };
              }),
              HasSubstr("metrics of an evaluation, training set: by the training logits the loss is "));
}

TEST(ExecutorCheck, FindsASampleThatIsCountedTwice) {
  EXPECT_THAT(
      problems([](ChangedExecutor& executor) { executor.change_steps = [](Metrics& metrics) { ++metrics.correct; }; }),
      HasSubstr("several steps at once: step 3: by the training logits "));
}

TEST(ExecutorCheck, FindsALastStepWithTheFirstOnesRate) {
  EXPECT_THAT(problems([](ChangedExecutor& executor) {
                executor.change_rates = [](std::vector<double>& rates) { rates.back() = rates.front(); };
              }),
              HasSubstr("several steps at once: parameter["));
}

TEST(ExecutorCheck, FindsARateThatIsOff) {
  const std::string found = problems([](ChangedExecutor& executor) {
    executor.change_rates = [](std::vector<double>& rates) {
      for (double& rate : rates) rate *= 1.0001;
    };
  });
  EXPECT_THAT(found, HasSubstr("a step of sgd: parameter["));
  EXPECT_THAT(found, HasSubstr("a step of adam: parameter["));
  EXPECT_THAT(found, HasSubstr("a step of adamw: parameter["));
  EXPECT_THAT(found, testing::Not(HasSubstr("several steps")));
}

TEST(ExecutorCheck, FindsMetricsOfTheLastStepAlone) {
  EXPECT_THAT(problems([](ChangedExecutor& executor) {
                executor.change_steps = [](Metrics& metrics) {
                  if (metrics.count > 12) metrics.loss_sum /= 4;
                };
              }),
              HasSubstr("several steps at once: 3 steps at once: loss "));
}

TEST(ExecutorCheck, FindsALaterStepReportedForANonFiniteLoss) {
  EXPECT_EQ(problems([](ChangedExecutor& executor) {
              executor.change_steps = [](Metrics& metrics) {
                if (metrics.first_non_finite_step >= 0) metrics.first_non_finite_step = 6;
              };
            }),
            "a loss that is not finite: the loss of step 3 was NaN, reported is 6\n");
}

TEST(ExecutorCheck, NeedsImagesForTwoSets) {
  const NetworkRun run{.network = test::tiny_network(), .training = test::tiny_images(60, 1), .batch_size = 12};
  EXPECT_THAT(test::error_message([&] { check_executor(run, make_reference_executor); }),
              HasSubstr("with 64 images, the training set has 60"));
}

}  // namespace
}  // namespace touchstone::check
