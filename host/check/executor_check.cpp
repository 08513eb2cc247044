// SPDX-License-Identifier: Apache-2.0
#include "host/check/executor_check.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "host/check/compare.h"
#include "host/check/rounded_half_squared_error.h"
#include "host/check/rounded_optimizer.h"
#include "host/check/rounded_softmax.h"
#include "host/data/image_slice.h"
#include "host/reference/executor_support.h"
#include "touchstone/error.h"
#include "touchstone/model.h"
#include "touchstone/random.h"

namespace touchstone::check {
namespace {

using Samples = std::span<const std::uint32_t>;

/// Mini-batches of a run of steps, and of an evaluation.
constexpr std::int64_t batches = 3;

/// Steps are counted over a whole training; these are not its first.
constexpr std::int64_t first_step = 3;

/// All properties of one executor; each begins at the same state.
class Promises {
 public:
  Promises(const NetworkRun& run, const ExecutorMaker& make_executor, const OptimizerSettings& optimizer)
      : settings_{make_plan(run.network), compute_normalisation(*run.training), optimizer, run.batch_size},
        pixel_scale_(settings_.normalisation.pixel_scale()) {
    const std::int64_t count = batches * run.batch_size - run.batch_size / 3;
    if (run.training->count < 2 * count) {
      throw Error(
          fmt::format("check: the promises of an executor are looked at with {} images, the training set has {}",
                      2 * count, run.training->count));
    }
    executor_ = make_executor(settings_);
    sets_ = {image_slice(*run.training, 0, count), image_slice(*run.training, count, count)};
    executor_->upload(Split::training, sets_[0]);
    executor_->upload(Split::test, sets_[1]);
    samples_ = shuffled_order(run.seed, RandomPurpose::shuffle, 1, static_cast<std::uint32_t>(count));
    const std::vector<float> drawn = initial_parameters(run.network, run.seed);
    initial_.parameters.assign(drawn.begin(), drawn.end());
    initial_.optimizer_slots.assign(static_cast<std::size_t>(optimizer.slots()), std::vector<double>(drawn.size()));
    for (std::int64_t step = 0; step < batches; ++step) {
      learning_rates_.push_back(0.001 * static_cast<double>(batches - step));
    }
  }

  /// Logits asked for at once and mini-batch by mini-batch.
  [[nodiscard]] std::string batched_logits(Split split) {
    executor_->set_state(initial_);
    const std::vector<float> at_once = executor_->logits(split, samples_);
    std::vector<float> one_by_one;
    for (std::int64_t i = 0; i < batches; ++i) {
      const std::vector<float> part = executor_->logits(split, batch(i));
      one_by_one.insert(one_by_one.end(), part.begin(), part.end());
    }
    for (std::size_t i = 0; i < one_by_one.size(); ++i) {
      if (i >= at_once.size() || !(at_once[i] == one_by_one[i])) {
        return fmt::format("logit[{}] of the {} set is {:.9g} among all samples, {:.9g} in its mini-batch", i,
                           to_string(split), i < at_once.size() ? at_once[i] : 0.0F, one_by_one[i]);
      }
    }
    return {};
  }

  [[nodiscard]] std::string evaluation(Split split) {
    executor_->set_state(initial_);
    return difference(executor_->evaluate(split, samples_), split, samples_);
  }

  /// The metrics of each step, and that a run of all steps gives their sums and the same state.
  [[nodiscard]] std::string steps() {
    executor_->set_state(initial_);
    Metrics sum;
    for (std::int64_t step = 0; step < batches; ++step) {
      const ExecutorState before = executor_->state();
      const Metrics metrics = train(step, step + 1);
      const ExecutorState after = executor_->state();
      executor_->set_state(before);
      if (std::string problem = difference(metrics, Split::training, batch(step)); !problem.empty()) {
        return fmt::format("step {}: {}", first_step + step, problem);
      }
      executor_->set_state(after);
      sum += metrics;
    }
    const ExecutorState one_by_one = executor_->state();
    executor_->set_state(initial_);
    const Metrics at_once = train(0, batches);
    if (at_once.correct != sum.correct || at_once.count != sum.count ||
        error_ratio(at_once.loss_sum, sum.loss_sum, addition_bound(sum.loss_sum)) > 1) {
      return fmt::format("{} steps at once: loss {:.12g}, {} of {} correct; one at a time: {:.12g}, {} of {}", batches,
                         at_once.loss_sum, at_once.correct, at_once.count, sum.loss_sum, sum.correct, sum.count);
    }
    return difference(executor_->state(), one_by_one);
  }

  /// The state after all steps at once.
  [[nodiscard]] ExecutorState state_after_steps() {
    executor_->set_state(initial_);
    static_cast<void>(train(0, batches));
    return executor_->state();
  }

  /// With parameters that are NaN every step's loss is; the first is to be reported.
  [[nodiscard]] std::string non_finite_loss() {
    ExecutorState spoilt = initial_;
    std::fill(spoilt.parameters.begin(), spoilt.parameters.end(), std::numeric_limits<double>::quiet_NaN());
    executor_->set_state(spoilt);
    const std::int64_t reported = train(0, batches).first_non_finite_step;
    return reported == first_step ? std::string()
                                  : fmt::format("the loss of step {} was NaN, reported is {}", first_step, reported);
  }

  /// The first step and the last, whose mini-batch is smaller, and the rule on the gradients of their mini-batches.
  [[nodiscard]] std::string rule() {
    std::string problem = rule(0);
    return problem.empty() ? rule(batches - 1) : problem;
  }

 private:
  [[nodiscard]] std::string rule(std::int64_t index) {
    executor_->set_state(initial_);
    const std::vector<double> gradients = executor_->gradients(batch(index));
    static_cast<void>(train(index, index + 1));
    const ExecutorState got = executor_->state();
    const OptimizerStep step{.learning_rate = learning_rates_[static_cast<std::size_t>(index)],
                             .step = first_step + index};
    for (std::size_t i = 0; i < gradients.size(); ++i) {
      const RoundedState before{Rounded::exact(initial_.parameters[i]), {}, {}};
      const RoundedState after = optimizer_step(settings_.optimizer, step, before, Rounded::exact(gradients[i]));
      std::string problem = difference("parameter", i, got.parameters[i], after.parameter);
      if (problem.empty()) problem = difference("the first moment", i, got.optimizer_slots[0][i], after.first_moment);
      if (problem.empty() && got.optimizer_slots.size() > 1) {
        problem = difference("the second moment", i, got.optimizer_slots[1][i], after.second_moment);
      }
      if (!problem.empty()) return problem;
    }
    return {};
  }

  [[nodiscard]] Samples batch(std::int64_t index) const { return steps_samples(index, index + 1); }

  [[nodiscard]] Samples steps_samples(std::int64_t begin, std::int64_t end) const {
    const auto first = static_cast<std::size_t>(begin * settings_.batch_size);
    const std::size_t last = std::min(static_cast<std::size_t>(end * settings_.batch_size), samples_.size());
    return Samples(samples_).subspan(first, last - first);
  }

  /// Some of the steps.
  [[nodiscard]] Metrics train(std::int64_t begin, std::int64_t end) {
    const auto count = static_cast<std::size_t>(end - begin);
    return executor_->train(
        {.samples = steps_samples(begin, end),
         .batch_size = settings_.batch_size,
         .learning_rates = std::span(learning_rates_).subspan(static_cast<std::size_t>(begin), count),
         .first_step = first_step + begin});
  }

  /// What metrics and the device's own logits disagree in.
  [[nodiscard]] std::string difference(const Metrics& metrics, Split split, Samples samples) {
    const std::vector<float> logits = executor_->logits(split, samples);
    const ImageSet& images = *sets_.at(static_cast<std::size_t>(split));
    const std::size_t outputs = logits.size() / samples.size();
    Rounded loss;
    std::int64_t correct = 0;
    const bool has_classes = settings_.plan.loss == Loss::softmax_cross_entropy;
    for (std::size_t i = 0; i < samples.size(); ++i) {
      const auto row = std::span(logits).subspan(i * outputs, outputs);
      const Rounded one = loss_of(row, images, samples[i]);
      loss.value += one.value;
      loss.error += one.error;
      const auto prediction = std::max_element(row.begin(), row.end()) - row.begin();
      correct += has_classes && prediction == images.labels[samples[i]] ? 1 : 0;
    }
    if (metrics.correct != correct || metrics.count != static_cast<std::int64_t>(samples.size())) {
      return fmt::format("by the {} logits {} of {} are correct, reported are {} of {}", to_string(split), correct,
                         samples.size(), metrics.correct, metrics.count);
    }
    const double bound = loss.error + addition_bound(loss.value);
    if (error_ratio(metrics.loss_sum, loss.value, bound) > 1) {
      return fmt::format("by the {} logits the loss is {:.9g}, reported is {:.9g}, bound {:.3g}", to_string(split),
                         loss.value, metrics.loss_sum, bound);
    }
    return {};
  }

  /// The loss of one sample of a set, by its logits or its reconstruction.
  [[nodiscard]] Rounded loss_of(std::span<const float> row, const ImageSet& images, std::uint32_t sample) const {
    const std::vector<Rounded> outputs = as_rounded(row);
    if (settings_.plan.loss == Loss::softmax_cross_entropy) {
      return softmax_cross_entropy(outputs, images.labels[sample], Rounded::exact(1)).loss;
    }
    std::vector<Rounded> targets;
    for (const std::uint8_t* pixel = images.image(sample); pixel != images.image(sample + 1); ++pixel) {
      targets.push_back(Rounded::exact(pixel_scale_.value(*pixel)));
    }
    return half_squared_error(outputs, targets, Rounded::exact(1)).loss;
  }

  [[nodiscard]] static std::string difference(std::string_view name, std::size_t index, double got,
                                              const Rounded& expected) {
    if (error_ratio(got, expected.value, expected.error) <= 1) return {};
    return fmt::format("{}[{}]: expected {:.9g}, got {:.9g}, bound {:.3g}", name, index, expected.value, got,
                       expected.error);
  }

  [[nodiscard]] static std::string difference(const ExecutorState& at_once, const ExecutorState& one_by_one) {
    for (std::size_t i = 0; i < one_by_one.parameters.size(); ++i) {
      if (!(at_once.parameters[i] == one_by_one.parameters[i])) {
        return fmt::format("parameter[{}] is {:.9g} after {} steps at once, {:.9g} after one at a time", i,
                           at_once.parameters[i], batches, one_by_one.parameters[i]);
      }
    }
    return at_once.optimizer_slots == one_by_one.optimizer_slots
               ? std::string()
               : fmt::format("the optimizer's state after {} steps at once is another than one at a time", batches);
  }

  /// Logits as the device had them: rounded once where it computes in double precision.
  [[nodiscard]] std::vector<Rounded> as_rounded(std::span<const float> logits) const {
    std::vector<Rounded> rounded(logits.size());
    std::transform(logits.begin(), logits.end(), rounded.begin(), [this](float logit) {
      return executor_->double_precision() ? Rounded::constant(logit) : Rounded::exact(logit);
    });
    return rounded;
  }

  /// What adding the samples' losses, none of them negative, in double precision and in any order may lose.
  [[nodiscard]] double addition_bound(double sum) const {
    return static_cast<double>(samples_.size()) * std::numeric_limits<double>::epsilon() * sum;
  }

  ExecutorSettings settings_;
  PixelScale pixel_scale_;
  std::unique_ptr<Executor> executor_;
  std::vector<SharedImageSet> sets_;  // by Split
  std::vector<std::uint32_t> samples_;
  std::vector<double> learning_rates_;
  ExecutorState initial_;
};

}  // namespace

std::vector<PropertyReport> check_executor(const NetworkRun& run, const ExecutorMaker& make_executor) {
  Promises promises(run, make_executor, {.kind = OptimizerKind::adam});
  std::vector<PropertyReport> reports;
  const auto add = [&reports](std::string property, std::string problem) {
    reports.push_back({.property = std::move(property), .problem = std::move(problem), .network = "", .path = ""});
  };
  add("logits of several mini-batches, training set", promises.batched_logits(Split::training));
  add("logits of several mini-batches, test set", promises.batched_logits(Split::test));
  add("metrics of an evaluation, training set", promises.evaluation(Split::training));
  add("metrics of an evaluation, test set", promises.evaluation(Split::test));
  add("several steps at once", promises.steps());
  add("a loss that is not finite", promises.non_finite_loss());
  for (const OptimizerSettings& optimizer : {OptimizerSettings{.kind = OptimizerKind::sgd, .momentum = 0.9},
                                             OptimizerSettings{.kind = OptimizerKind::adam, .weight_decay = 0.01},
                                             OptimizerSettings{.kind = OptimizerKind::adamw, .weight_decay = 0.01}}) {
    add(fmt::format("a step of {}", to_string(optimizer.kind)), Promises(run, make_executor, optimizer).rule());
  }
  return reports;
}

PropertyReport check_variants(const NetworkRun& run, const ExecutorMaker& make_executor, DeviceOperations& operations) {
  PropertyReport report{.property = "the same bits with each variant", .problem = "", .network = "", .path = ""};
  const std::vector<std::string> variants = operations.variants();
  ExecutorState first;
  for (std::size_t i = 0; i < variants.size() && report.problem.empty(); ++i) {
    operations.select_variant(i);
    ExecutorState state = Promises(run, make_executor, {.kind = OptimizerKind::adam}).state_after_steps();
    if (i == 0) {
      first = std::move(state);
      continue;
    }
    const auto [got, expected] =
        std::mismatch(state.parameters.begin(), state.parameters.end(), first.parameters.begin());
    if (got != state.parameters.end()) {
      report.problem = fmt::format("{}: parameter[{}] is {:.9g}, other bits than with {}, {:.9g}", variants[i],
                                   got - state.parameters.begin(), *got, variants[0], *expected);
    }
  }
  operations.select_variant(0);
  return report;
}

}  // namespace touchstone::check
