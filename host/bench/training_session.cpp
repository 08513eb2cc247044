// SPDX-License-Identifier: Apache-2.0
#include "host/bench/training_session.h"

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "host/bench/bench_inputs.h"
#include "touchstone/error.h"
#include "touchstone/model.h"
#include "touchstone/plan.h"
#include "touchstone/random.h"

namespace touchstone::bench {
namespace {

using Clock = std::chrono::steady_clock;

/// What the images may take: MNIST's 60,000 do.
constexpr std::int64_t most_bytes = std::int64_t{64} << 20U;

ExecutorState initial_state(const Network& network, std::uint64_t seed) {
  const std::vector<float> parameters = initial_parameters(network, seed);
  ExecutorState state{.parameters = {parameters.begin(), parameters.end()}, .optimizer_slots = {}};
  state.optimizer_slots.assign(static_cast<std::size_t>(network.recipe().optimizer.slots()),
                               std::vector<double>(parameters.size(), 0.0));
  return state;
}

}  // namespace

SharedImageSet random_images(const Network& network, std::uint64_t seed) {
  auto images = std::make_shared<ImageSet>();
  images->shape = network.input();
  images->count = std::clamp<std::int64_t>(most_bytes / images->shape.count(), 1, epoch_images);
  BenchInputs inputs(seed);
  images->pixels = inputs.pixels(images->count * images->shape.count());
  const auto classes = static_cast<std::uint32_t>(std::max<std::int64_t>(network.classes(), 1));
  images->labels = inputs.wholes<std::uint8_t>(images->count, classes);
  return images;
}

TrainingSession::TrainingSession(const Network& network, SharedImageSet images, const SessionSettings& settings)
    : images_(std::move(images)),
      settings_(settings),
      learning_rate_(network.recipe().learning_rate),
      order_(shuffled_order(settings.seed, RandomPurpose::shuffle, 1, static_cast<std::uint32_t>(images_->count))),
      initial_(initial_state(network, settings.seed)),
      executor_(make_executor(settings.device, {.plan = make_plan(network),
                                                .normalisation = compute_normalisation(*images_),
                                                .optimizer = network.recipe().optimizer,
                                                .batch_size = settings.batch_size})) {
  executor_->upload(Split::training, images_);
  restart();
}

void TrainingSession::restart() {
  executor_->set_state(initial_);
  steps_done_ = 0;
}

double TrainingSession::run(std::int64_t count) {
  const std::vector<std::uint32_t> samples = samples_of(steps_done_, count);
  const std::vector<double> rates(static_cast<std::size_t>(count), learning_rate_);
  const auto start = Clock::now();
  // In slices as long as those of a training run, for what lies between them is part of an epoch's time.
  const std::int64_t slice = executor_->steps_per_report();
  for (std::int64_t done = 0; done < count; done += slice) {
    const std::int64_t steps = std::min(slice, count - done);
    const Metrics metrics =
        executor_->train({.samples = std::span(samples).subspan(static_cast<std::size_t>(done * settings_.batch_size),
                                                                static_cast<std::size_t>(steps * settings_.batch_size)),
                          .batch_size = settings_.batch_size,
                          .learning_rates = std::span(rates).first(static_cast<std::size_t>(steps)),
                          .first_step = steps_done_ + done + 1});
    if (metrics.first_non_finite_step >= 0) {
      throw Error(fmt::format("the loss became NaN or infinite at step {} on {} with batches of {}",
                              metrics.first_non_finite_step, executor_->device(), settings_.batch_size));
    }
  }
  steps_done_ += count;
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::vector<std::uint32_t> TrainingSession::samples_of(std::int64_t first_step, std::int64_t count) const {
  std::vector<std::uint32_t> samples(static_cast<std::size_t>(count * settings_.batch_size));
  for (std::size_t i = 0; i < samples.size(); ++i) {
    samples[i] = order_[(static_cast<std::size_t>(first_step * settings_.batch_size) + i) % order_.size()];
  }
  return samples;
}

}  // namespace touchstone::bench
