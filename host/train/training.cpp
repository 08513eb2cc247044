// SPDX-License-Identifier: Apache-2.0
#include "touchstone/training.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <memory>
#include <numeric>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "host/model/write_file.h"
#include "host/train/checkpoint.h"
#include "host/train/data_fit.h"
#include "host/train/epoch_json.h"
#include "host/train/run_directory.h"
#include "touchstone/error.h"
#include "touchstone/executor.h"
#include "touchstone/random.h"

namespace touchstone {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

std::vector<std::uint32_t> all_samples(const ImageSet& images) {
  std::vector<std::uint32_t> samples(static_cast<std::size_t>(images.count));
  std::iota(samples.begin(), samples.end(), 0U);
  return samples;
}

/// The training samples, in file order, and those held out, which the seed picks.
struct TrainingSplit {
  std::vector<std::uint32_t> training;
  std::vector<std::uint32_t> validation;
};

TrainingSplit split_training(const ImageSet& images, const TrainingSettings& settings) {
  if (settings.validation >= images.count) {
    throw Error(fmt::format("{} images cannot be held out for validation: the training set has {}", settings.validation,
                            images.count));
  }
  if (settings.validation == 0) return {all_samples(images), {}};
  std::vector<std::uint32_t> order =
      shuffled_order(settings.seed, RandomPurpose::validation, 0, static_cast<std::uint32_t>(images.count));
  const auto held_out = order.begin() + settings.validation;
  std::sort(order.begin(), held_out);
  std::sort(held_out, order.end());
  return {{held_out, order.end()}, {order.begin(), held_out}};
}

/// One training run, from its first step (or its checkpoint) to its end.
class TrainingRun {
 public:
  TrainingRun(const Network& network, const Dataset& dataset, const TrainingSettings& settings,
              const DeviceRequest& device, const TrainingOptions& options)
      : network_(network),
        settings_(settings),
        options_(options),
        split_(split_training(*dataset.training, settings)),
        test_samples_(all_samples(*dataset.test)),
        normalisation_(compute_normalisation(*dataset.training)),
        executor_(make_executor(device, executor_settings())) {
    executor_->upload(Split::training, dataset.training);
    executor_->upload(Split::test, dataset.test);
    checkpoint_.double_precision = executor_->double_precision();
    checkpoint_.identity = {.data_fingerprint = fingerprint(dataset),
                            .seed = settings.seed,
                            .batch_size = settings.recipe.batch_size,
                            .validation = settings.validation,
                            .shuffle = settings.shuffle,
                            .optimizer = std::string(to_string(settings.recipe.optimizer.kind))};
    options.resume ? resume() : start();
  }

  TrainingResult run() {
    bool interrupted = false;
    try {
      while (!finished() && !interrupted) interrupted = !(train_epoch() && end_epoch());
    } catch (const DeviceError& error) {
      throw Error(error.what() + save_what_is_known());
    }
    if (interrupted) save();
    checkpoint_.state = executor_->state();
    return result(interrupted);
  }

 private:
  [[nodiscard]] const TrainingRecipe& recipe() const { return settings_.recipe; }
  [[nodiscard]] std::int64_t samples_per_epoch() const { return static_cast<std::int64_t>(split_.training.size()); }
  [[nodiscard]] std::int64_t batch_size() const { return std::min(recipe().batch_size, samples_per_epoch()); }
  [[nodiscard]] std::int64_t steps_per_epoch() const { return (samples_per_epoch() + batch_size() - 1) / batch_size(); }

  [[nodiscard]] ExecutorSettings executor_settings() const {
    return {.plan = make_plan(network_),
            .normalisation = normalisation_,
            .optimizer = recipe().optimizer,
            .batch_size = batch_size()};
  }

  void start() {
    const std::vector<float> parameters = options_.initial_weights
                                              ? load_parameters(*options_.initial_weights, network_)
                                              : initial_parameters(network_, settings_.seed);
    ExecutorState state{.parameters = {parameters.begin(), parameters.end()}, .optimizer_slots = {}};
    state.optimizer_slots.assign(static_cast<std::size_t>(recipe().optimizer.slots()),
                                 std::vector<double>(parameters.size(), 0.0));
    executor_->set_state(state);
    checkpoint_.state = std::move(state);
  }

  void resume() {
    const std::filesystem::path file = *options_.run_directory / checkpoint_file;
    Checkpoint stored = Checkpoint::load(file, network_);
    check_identity(file.string(), stored.identity);
    if (stored.double_precision && !checkpoint_.double_precision) {
      throw Error(fmt::format("{}: holds double-precision values of the reference, which {} would round", file.string(),
                              executor_->device()));
    }
    stored.identity = checkpoint_.identity;
    stored.double_precision = checkpoint_.double_precision;
    checkpoint_ = std::move(stored);
    executor_->set_state(checkpoint_.state);
  }

  void check_identity(const std::string& file, const Checkpoint::Identity& stored) const {
    const auto same = [&](std::string_view what, const auto& now, const auto& then) {
      if (now != then)
        throw Error(fmt::format("{}: the run was started with another {} ({}, now {})", file, what, then, now));
    };
    const Checkpoint::Identity& identity = checkpoint_.identity;
    same("data set (checksum)", identity.data_fingerprint, stored.data_fingerprint);
    same("seed", identity.seed, stored.seed);
    same("batch size", identity.batch_size, stored.batch_size);
    same("number of held-out images", identity.validation, stored.validation);
    same("shuffling", identity.shuffle, stored.shuffle);
    same("optimizer", identity.optimizer, stored.optimizer);
  }

  [[nodiscard]] bool finished() const {
    return static_cast<std::int64_t>(checkpoint_.history.size()) >= recipe().epochs || target_reached();
  }

  [[nodiscard]] bool target_reached() const {
    if (!settings_.target_accuracy || checkpoint_.history.empty()) return false;
    const EpochReport& last = checkpoint_.history.back();
    return (last.validation_accuracy ? last.validation_accuracy : last.test_accuracy) >= settings_.target_accuracy;
  }

  /// The order in which an epoch visits the training samples.
  [[nodiscard]] std::vector<std::uint32_t> epoch_order(std::int64_t epoch) const {
    if (!settings_.shuffle) return split_.training;
    std::vector<std::uint32_t> order =
        shuffled_order(settings_.seed, RandomPurpose::shuffle, static_cast<std::uint32_t>(epoch),
                       static_cast<std::uint32_t>(split_.training.size()));
    for (std::uint32_t& sample : order) sample = split_.training[sample];
    return order;
  }

  /// Runs what is left of the epoch's steps; false when it was stopped before their end.
  bool train_epoch() {
    TrainingPosition& position = checkpoint_.position;
    executor_->mark_epoch(position.epoch);
    auto start = Clock::now();
    const std::vector<std::uint32_t> order = epoch_order(position.epoch);
    while (position.step < steps_per_epoch()) {
      if (options_.stop.stop_requested()) return false;
      train_steps(order, std::min(executor_->steps_per_report(), steps_per_epoch() - position.step));
      position.epoch_seconds += seconds_since(start);
      report_progress();
      start = Clock::now();
    }
    return true;
  }

  void train_steps(const std::vector<std::uint32_t>& order, std::int64_t count) {
    TrainingPosition& position = checkpoint_.position;
    const std::int64_t first = (position.epoch - 1) * steps_per_epoch() + position.step;  // from 0, over the whole run
    std::vector<double> rates;
    for (std::int64_t step = first; step < first + count; ++step) rates.push_back(learning_rate(step));
    const std::int64_t begin = position.step * batch_size();
    const std::int64_t end = std::min(begin + count * batch_size(), samples_per_epoch());
    const Metrics metrics = executor_->train(
        {.samples = std::span(order).subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin)),
         .batch_size = batch_size(),
         .learning_rates = rates,
         .first_step = first + 1});
    if (metrics.first_non_finite_step >= 0) fail_non_finite("loss", metrics.first_non_finite_step);
    position.metrics += metrics;
    position.step += count;
    if (executor_->may_be_lost()) checkpoint_.state = executor_->state();
  }

  [[nodiscard]] double learning_rate(std::int64_t step) const {
    return learning_rate_at(recipe().schedule, recipe().learning_rate, step, steps_per_epoch(), recipe().epochs);
  }

  [[noreturn]] void fail_non_finite(std::string_view what, std::int64_t step) const {
    throw Error(
        fmt::format("the {} became NaN or infinite at step {} (epoch {}): try a smaller learning rate than {}, or a "
                    "warm-up (--warmup)",
                    what, step, checkpoint_.position.epoch, recipe().learning_rate));
  }

  void report_progress() const {
    if (options_.observer == nullptr) return;
    const TrainingPosition& position = checkpoint_.position;
    options_.observer->on_progress({.epoch = position.epoch,
                                    .epochs = recipe().epochs,
                                    .samples = position.metrics.count,
                                    .samples_per_epoch = samples_per_epoch(),
                                    .running_loss = position.metrics.mean_loss(),
                                    .running_accuracy = accuracy(position.metrics)});
  }

  /// Nothing for an autoencoder.
  [[nodiscard]] std::optional<double> accuracy(const Metrics& metrics) const {
    return network_.is_autoencoder() ? std::nullopt : std::optional(metrics.accuracy());
  }

  /// Loss and accuracy in slices, so that a slow device can be stopped; nothing when it was.
  std::optional<Metrics> evaluate(Split split, const std::vector<std::uint32_t>& samples) {
    const auto slice = static_cast<std::size_t>(executor_->steps_per_report() * batch_size());
    Metrics metrics;
    for (std::size_t begin = 0; begin < samples.size(); begin += slice) {
      if (options_.stop.stop_requested()) return std::nullopt;
      metrics += executor_->evaluate(split, std::span(samples).subspan(begin, std::min(slice, samples.size() - begin)));
    }
    if (!std::isfinite(metrics.loss_sum)) fail_non_finite("test loss", checkpoint_.position.epoch * steps_per_epoch());
    return metrics;
  }

  /// Evaluates, reports and saves; false when it was stopped before the evaluation's end.
  bool end_epoch() {
    const TrainingPosition& position = checkpoint_.position;
    EpochReport report{.epoch = position.epoch,
                       .train_loss = position.metrics.mean_loss(),
                       .train_accuracy = accuracy(position.metrics),
                       .learning_rate = learning_rate(position.epoch * steps_per_epoch() - 1),
                       .seconds = position.epoch_seconds};
    if (!split_.validation.empty()) {
      const std::optional<Metrics> validation = evaluate(Split::training, split_.validation);
      if (!validation) return false;
      report.validation_loss = validation->mean_loss();
      report.validation_accuracy = accuracy(*validation);
    }
    const std::optional<Metrics> test = evaluate(Split::test, test_samples_);
    if (!test) return false;
    report.test_loss = test->mean_loss();
    report.test_accuracy = accuracy(*test);

    keep_if_best(report);
    checkpoint_.history.push_back(report);
    checkpoint_.position = {.epoch = position.epoch + 1, .step = 0, .metrics = {}, .epoch_seconds = 0};
    save();
    if (options_.observer != nullptr) options_.observer->on_epoch(report);
    return true;
  }

  void keep_if_best(const EpochReport& report) {
    if (!report.validation_loss) return;
    BestWeights& best = checkpoint_.best;
    if (best.epoch == 0 || better(report, epoch_report(best.epoch))) {
      best = {report.epoch, executor_->state().parameters};
    }
  }

  /// On the held-out images: by accuracy, or of an autoencoder by loss.
  static bool better(const EpochReport& report, const EpochReport& other) {
    if (!report.validation_accuracy) return *report.validation_loss < *other.validation_loss;
    return *report.validation_accuracy > *other.validation_accuracy;
  }

  [[nodiscard]] const EpochReport& epoch_report(std::int64_t epoch) const {
    return checkpoint_.history[static_cast<std::size_t>(epoch - 1)];
  }

  /// The weights that count: the best on the held-out images where there are any, else the latest.
  [[nodiscard]] Model model() const {
    const std::vector<double>& values =
        checkpoint_.best.parameters.empty() ? checkpoint_.state.parameters : checkpoint_.best.parameters;
    return {network_, normalisation_, {values.begin(), values.end()}};
  }

  void save() {
    if (!options_.run_directory) return;
    checkpoint_.state = executor_->state();
    write_files();
  }

  /// After the device has failed: saves the newest state that was copied from it, and says how to go on.
  [[nodiscard]] std::string save_what_is_known() const {
    if (!options_.run_directory) return "";
    write_files();
    const TrainingPosition& position = checkpoint_.position;
    return fmt::format("; the state after step {} of epoch {} is saved: go on with --resume {}", position.step,
                       position.epoch, options_.run_directory->string());
  }

  void write_files() const {
    model().save(*options_.run_directory / model_file);
    std::string lines;
    for (const EpochReport& report : checkpoint_.history) lines += epoch_json(report).dump() + "\n";
    write_file(*options_.run_directory / metrics_file, lines);
    checkpoint_.save(*options_.run_directory / checkpoint_file, network_);
  }

  [[nodiscard]] TrainingResult result(bool interrupted) const {
    TrainingResult result{.model = model(), .epochs = checkpoint_.history, .interrupted = interrupted};
    for (const EpochReport& report : checkpoint_.history) result.train_seconds += report.seconds;
    if (!checkpoint_.history.empty()) {
      const std::int64_t best = checkpoint_.best.epoch;
      const EpochReport& report = best > 0 ? epoch_report(best) : checkpoint_.history.back();
      result.test_loss = report.test_loss;
      result.test_accuracy = report.test_accuracy;
    }
    if (settings_.target_accuracy) result.target_reached = target_reached();
    return result;
  }

  Network network_;
  TrainingSettings settings_;
  TrainingOptions options_;
  TrainingSplit split_;
  std::vector<std::uint32_t> test_samples_;
  Normalisation normalisation_;
  std::unique_ptr<Executor> executor_;
  Checkpoint checkpoint_;
};

}  // namespace

void TrainingSettings::validate(const Network& network) const {
  recipe.validate();
  if (validation < 0) throw UsageError(fmt::format("validation is {}; expected at least 0", validation));
  if (target_accuracy && !(*target_accuracy > 0 && *target_accuracy <= 1)) {
    throw UsageError(
        fmt::format("target accuracy is {}; expected a fraction, more than 0 and at most 1", *target_accuracy));
  }
  if (target_accuracy && network.is_autoencoder()) {
    throw UsageError(
        fmt::format("target accuracy: the network `{}` is an autoencoder, which has no accuracy", network.name()));
  }
}

TrainingResult train(const Network& network, const Dataset& dataset, const TrainingSettings& settings,
                     const DeviceRequest& device, const TrainingOptions& options) {
  settings.validate(network);
  check_fit(network, *dataset.training, "training");
  check_fit(network, *dataset.test, "test");
  if (options.resume && !options.run_directory) throw UsageError("resuming needs a run directory");
  return TrainingRun(network, dataset, settings, device, options).run();
}

}  // namespace touchstone
