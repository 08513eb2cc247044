// SPDX-License-Identifier: Apache-2.0
#include "host/check/network_check.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <exception>
#include <limits>
#include <span>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "host/check/bounded_gradients.h"
#include "host/check/compare.h"
#include "touchstone/device.h"
#include "touchstone/error.h"
#include "touchstone/gather.h"
#include "touchstone/model.h"
#include "touchstone/random.h"

namespace touchstone::check {
namespace {

using Parameters = std::vector<double>;
using Trajectory = std::vector<Parameters>;

/// What all runs have in common.
struct Course {
  ExecutorSettings settings;
  SharedImageSet training;
  std::vector<std::uint32_t> samples;  ///< of all steps
  double learning_rate = 0;
  std::int64_t steps = 0;
  std::int64_t batch_size = 0;

  explicit Course(const NetworkRun& run)
      : settings{make_plan(run.network), compute_normalisation(*run.training), run.network.recipe().optimizer,
                 run.batch_size},
        training(run.training),
        samples(shuffled_order(run.seed, RandomPurpose::shuffle, 1, static_cast<std::uint32_t>(run.training->count))),
        learning_rate(run.network.recipe().learning_rate),
        steps(run.steps),
        batch_size(run.batch_size) {
    const auto needed = static_cast<std::size_t>(steps * batch_size);
    if (samples.size() < needed) {
      throw Error(fmt::format("check: {} steps of {} samples need {} images, the training set has {}", steps,
                              batch_size, needed, samples.size()));
    }
    samples.resize(needed);
  }

  [[nodiscard]] std::span<const std::uint32_t> batch(std::int64_t step) const {
    return std::span(samples).subspan(static_cast<std::size_t>(step * batch_size),
                                      static_cast<std::size_t>(batch_size));
  }
};

/// The optimizer's slots start as zeros.
ExecutorState initial_state(const ExecutorSettings& settings, Parameters parameters) {
  const std::size_t count = parameters.size();
  return {std::move(parameters),
          std::vector<Parameters>(static_cast<std::size_t>(settings.optimizer.slots()), Parameters(count))};
}

/// Trains, and keeps the parameters after each step.
Trajectory follow(const Course& course, Executor& executor, const Parameters& initial) {
  executor.upload(Split::training, course.training);
  executor.set_state(initial_state(course.settings, initial));
  Trajectory trajectory;
  for (std::int64_t step = 0; step < course.steps; ++step) {
    executor.train({.samples = course.batch(step),
                    .batch_size = course.batch_size,
                    .learning_rates = {&course.learning_rate, 1},
                    .first_step = step + 1});
    trajectory.push_back(executor.state().parameters);
  }
  return trajectory;
}

/// Each parameter moved to the next float32 above or below it.
Parameters moved(const Parameters& parameters, std::uint64_t seed, int direction) {
  Parameters result(parameters.size());
  for (std::size_t i = 0; i < result.size(); ++i) {
    const std::uint32_t word = random_word(seed, RandomPurpose::check, static_cast<std::uint32_t>(direction), i);
    const float towards = std::numeric_limits<float>::infinity() * ((word & 1U) != 0 ? 1.0F : -1.0F);
    const bool is_gap = parameters[i] == 0;  // a bias that starts at 0, or no parameter at all
    result[i] = is_gap ? 0 : std::nextafter(static_cast<float>(parameters[i]), towards);
  }
  return result;
}

/// The reference's trajectories from each of the starts, as many at a time as there are cores.
std::vector<Trajectory> follow_reference(const Course& course, const std::vector<Parameters>& starts,
                                         const StageObserver& observer) {
  if (observer) observer(fmt::format("{} runs of the reference", starts.size()));
  std::vector<Trajectory> trajectories(starts.size());
  std::vector<std::exception_ptr> errors(starts.size());
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t i = next++; i < starts.size(); i = next++) {
      try {
        trajectories[i] = follow(course, *make_reference_executor(course.settings), starts[i]);
      } catch (...) {
        errors[i] = std::current_exception();
      }
    }
  };
  {
    std::vector<std::jthread> workers;
    const auto cores = static_cast<std::size_t>(usable_cores());
    for (std::size_t i = 1; i < std::min(cores, starts.size()); ++i) workers.emplace_back(work);
    work();
  }
  for (const std::exception_ptr& error : errors) {
    if (error) std::rethrow_exception(error);
  }
  return trajectories;
}

/// A mini-batch as the network sees it.
struct Batch {
  std::vector<std::uint32_t> samples;
  std::vector<double> images;
  std::vector<std::uint8_t> labels;
};

Batch gather(const Course& course, std::vector<std::uint32_t> samples) {
  const GatherShape shape{.batch = static_cast<std::int64_t>(samples.size()),
                          .image_size = course.settings.plan.input_count};
  Batch batch;
  batch.images.resize(static_cast<std::size_t>(shape.batch * shape.image_size));
  batch.labels.resize(samples.size());
  reference::gather(shape, course.training->pixels.data(), course.training->labels.data(), samples.data(),
                    course.settings.normalisation.table(), batch.images.data(), batch.labels.data());
  batch.samples = std::move(samples);
  return batch;
}

/// The first samples of the run, those without close windows before the others; as many as a mini-batch has.
std::vector<std::uint32_t> pick_samples(const Course& course, const Parameters& parameters, GradientReport& report) {
  const auto wanted = static_cast<std::size_t>(course.batch_size);
  const std::size_t candidates = std::min(course.samples.size(), 2 * wanted);
  Batch batch =
      gather(course, {course.samples.begin(), course.samples.begin() + static_cast<std::ptrdiff_t>(candidates)});
  const std::vector<std::int64_t> close =
      close_windows(course.settings.plan, parameters, std::move(batch.images), static_cast<std::int64_t>(candidates));
  std::vector<std::uint32_t> clear;
  std::vector<std::uint32_t> others;
  for (std::size_t i = 0; i < candidates && clear.size() < wanted; ++i) {
    (close[i] == 0 ? clear : others).push_back(batch.samples[i]);
  }
  report.passed_over = static_cast<std::int64_t>(others.size());
  clear.insert(clear.end(), others.begin(),
               others.begin() + static_cast<std::ptrdiff_t>(std::min(others.size(), wanted - clear.size())));
  return clear;
}

/// Compares gradient by gradient.
void compare(const std::vector<double>& got, const std::vector<double>& expected, const BoundedGradients& bounded,
             GradientReport& report) {
  double largest_gradient = 0;
  double largest_bound = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    largest_gradient = std::max(largest_gradient, std::abs(expected[i]));
    largest_bound = std::max(largest_bound, bounded.bounds[i]);
    const double ratio = error_ratio(got[i], expected[i], bounded.bounds[i]);
    report.worst_ratio = std::max(report.worst_ratio, ratio);
    if (ratio <= 1) continue;
    if (report.wrong++ == 0) {
      report.problem = fmt::format("gradient[{}]: expected {:.9g}, got {:.9g}, bound {:.3g}", i, expected[i], got[i],
                                   bounded.bounds[i]);
    }
  }
  report.parameters = static_cast<std::int64_t>(expected.size());
  report.loosest_bound = largest_bound / largest_gradient;
}

GradientReport check_gradients(const Course& course, Executor& device, std::int64_t step) {
  GradientReport report;
  report.step = step;
  const Parameters parameters = device.state().parameters;
  Batch batch = gather(course, pick_samples(course, parameters, report));
  const std::unique_ptr<Executor> reference = make_reference_executor(course.settings);
  reference->upload(Split::training, course.training);
  reference->set_state(initial_state(course.settings, parameters));
  const BoundedGradients bounded =
      bounded_gradients(course.settings.plan, parameters, std::move(batch.images), batch.labels);
  report.close_windows = bounded.close_windows;
  compare(device.gradients(batch.samples), reference->gradients(batch.samples), bounded, report);
  return report;
}

}  // namespace

bool NetworkReport::passed() const {
  return trajectory.problem.empty() &&
         std::all_of(gradients.begin(), gradients.end(), [](const auto& report) { return report.problem.empty(); });
}

std::vector<double> drifts(const std::vector<std::vector<double>>& trajectory,
                           const std::vector<std::vector<double>>& origin) {
  std::vector<double> result;
  for (std::size_t step = 0; step < origin.size(); ++step) {
    double squares = 0;
    for (std::size_t i = 0; i < origin[step].size(); ++i) {
      const double difference = trajectory[step][i] - origin[step][i];
      squares += difference * difference;
    }
    result.push_back(std::sqrt(squares));
  }
  return result;
}

TrajectoryReport judge(const std::vector<double>& device, const std::vector<std::vector<double>>& reference) {
  TrajectoryReport report;
  report.steps = static_cast<std::int64_t>(device.size());
  for (std::size_t step = 0; step < device.size(); ++step) {
    report.drift = device[step];
    report.reference_drift = 0;
    for (const std::vector<double>& direction : reference) {
      report.reference_drift = std::max(report.reference_drift, direction[step]);
    }
    const double ratio = error_ratio(report.drift, 0, TrajectoryReport::allowance * report.reference_drift);
    if (ratio > report.worst_ratio) {
      report.worst_ratio = ratio;
      report.worst_step = static_cast<std::int64_t>(step) + 1;
    }
    if (ratio > 1 && report.problem.empty()) {
      report.problem = fmt::format("after step {} the parameters are {:.3g} from the reference's; allowed is {:.3g}",
                                   step + 1, report.drift, TrajectoryReport::allowance * report.reference_drift);
    }
  }
  return report;
}

NetworkReport check_network(const NetworkRun& run, const ExecutorMaker& make_executor, const StageObserver& observer) {
  const Course course(run);
  const std::vector<float> drawn = initial_parameters(run.network, run.seed);
  const Parameters initial(drawn.begin(), drawn.end());
  const std::unique_ptr<Executor> device = make_executor(course.settings);

  NetworkReport report;
  if (observer) observer("gradients before the first step");
  device->upload(Split::training, course.training);
  device->set_state(initial_state(course.settings, initial));
  report.gradients.push_back(check_gradients(course, *device, 0));

  if (observer) observer(fmt::format("{} steps", course.steps));
  const Trajectory on_device = follow(course, *device, initial);
  if (observer) observer("gradients after the last step");
  report.gradients.push_back(check_gradients(course, *device, course.steps));

  std::vector<Parameters> starts = {initial};
  for (int direction = 0; direction < TrajectoryReport::directions; ++direction) {
    starts.push_back(moved(initial, run.seed, direction));
  }
  const std::vector<Trajectory> on_reference = follow_reference(course, starts, observer);
  std::vector<std::vector<double>> reference_drifts;
  for (std::size_t i = 1; i < on_reference.size(); ++i) {
    reference_drifts.push_back(drifts(on_reference[i], on_reference[0]));
  }
  report.trajectory = judge(drifts(on_device, on_reference[0]), reference_drifts);
  return report;
}

}  // namespace touchstone::check
