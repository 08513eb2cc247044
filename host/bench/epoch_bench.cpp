// SPDX-License-Identifier: Apache-2.0
#include "host/bench/epoch_bench.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

#include "host/bench/training_session.h"
#include "touchstone/network.h"

namespace touchstone::bench {
namespace {

std::int64_t epoch_steps(std::int64_t batch_size) { return (epoch_images + batch_size - 1) / batch_size; }

/// How long a step takes, and from how many that is known.
struct StepTime {
  double seconds = 0;
  std::int64_t steps = 0;
};

/// Runs steps, more and more at a time, until half of the time is spent: the last run is longer than all before it
/// together and is the one that counts, all before it warm up.
StepTime time_steps(TrainingSession& session, std::int64_t most_steps, double most_seconds) {
  std::int64_t steps = 1;
  double spent = 0;
  for (;;) {
    const double seconds = session.run(steps);
    spent += seconds;
    if (steps == most_steps || spent >= most_seconds / 2) return {seconds / static_cast<double>(steps), steps};
    const double step_seconds = std::max(seconds / static_cast<double>(steps), 1e-9);
    const auto fitting = static_cast<std::int64_t>((most_seconds - spent) / step_seconds);
    // The first steps are slow: they say little about how many fit.
    steps = std::clamp(std::min(fitting, 8 * steps), steps, most_steps);
  }
}

/// The largest difference, as a fraction of the largest value of `right`.
double worst_difference(const std::vector<double>& left, const std::vector<double>& right) {
  double difference = 0;
  double largest = 0;
  for (std::size_t i = 0; i < right.size(); ++i) {
    difference = std::max(difference, std::abs(left[i] - right[i]));
    largest = std::max(largest, std::abs(right[i]));
  }
  return largest > 0 ? difference / largest : difference;
}

std::vector<double> parameters_after(TrainingSession& session, std::int64_t steps) {
  session.restart();
  session.run(steps);
  return session.executor().state().parameters;
}

}  // namespace

double EpochLine::images_per_second() const { return static_cast<double>(epoch_images) / seconds; }

std::vector<EpochCase> epoch_cases(const std::vector<std::string>& networks,
                                   const std::vector<std::int64_t>& batch_sizes) {
  std::vector<EpochCase> cases;
  for (const std::string& network : networks) {
    for (const std::int64_t batch_size : batch_sizes) cases.push_back({network, batch_size});
  }
  return cases;
}

std::vector<std::int64_t> default_batch_sizes() { return {16, 32, 64, 128, 256, 512, 1024}; }

EpochLine measure_epoch(const EpochCase& epoch, const EpochSettings& settings) {
  const Network network = Network::named(epoch.network);
  const SharedImageSet images = random_images(network, settings.seed);
  const auto session_on = [&](const DeviceRequest& device) {
    return TrainingSession(network, images, {.batch_size = epoch.batch_size, .seed = settings.seed, .device = device});
  };
  const std::int64_t most_steps = epoch_steps(epoch.batch_size);
  const double steps_per_epoch = static_cast<double>(epoch_images) / static_cast<double>(epoch.batch_size);

  TrainingSession session = session_on(settings.device);
  const StepTime time = time_steps(session, most_steps, settings.most_seconds);
  EpochLine line{.network = epoch.network,
                 .batch_size = epoch.batch_size,
                 .seconds = time.seconds * steps_per_epoch,
                 .measured_steps = time.steps,
                 .path = session.executor().path()};
  if (settings.device.path == PathRequest::automatic && line.path.name == "fused") {
    DeviceRequest layered = settings.device;
    layered.path = PathRequest::layered;
    TrainingSession layers = session_on(layered);
    line.layered_seconds = time_steps(layers, most_steps, settings.most_seconds).seconds * steps_per_epoch;
  }
  if (settings.against) {
    TrainingSession other = session_on(*settings.against);
    const StepTime other_time = time_steps(other, most_steps, settings.most_seconds);
    EpochComparison comparison{.seconds = other_time.seconds * steps_per_epoch,
                               .speedup = other_time.seconds / time.seconds,
                               .steps = std::min(time.steps, other_time.steps)};
    comparison.worst_error =
        worst_difference(parameters_after(session, comparison.steps), parameters_after(other, comparison.steps));
    line.against = comparison;
  }
  return line;
}

}  // namespace touchstone::bench
