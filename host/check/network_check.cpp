// SPDX-License-Identifier: Apache-2.0
#include "host/check/network_check.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <deque>
#include <exception>
#include <limits>
#include <optional>
#include <span>
#include <thread>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "host/check/bounded_gradients.h"
#include "host/check/compare.h"
#include "host/model/parameters.h"
#include "touchstone/device.h"
#include "touchstone/error.h"
#include "touchstone/gather.h"
#include "touchstone/model.h"
#include "touchstone/plan.h"
#include "touchstone/random.h"

namespace touchstone::check {
namespace {

/// Gradients are those of so many mini-batches, half of the last left out: a device adds up the gradients of several,
/// and of what it cuts a large one into.
constexpr std::int64_t gradient_batches = 3;

using Parameters = std::vector<double>;
using Trajectory = std::vector<Parameters>;

/// What all runs have in common.
struct Course {
  ExecutorSettings settings;
  SharedImageSet training;
  std::vector<std::uint32_t> order;  ///< of the first epoch
  double learning_rate = 0;
  std::int64_t steps = 0;
  std::vector<ParameterTensor> tensors;
  SumMethods methods;  ///< [operation]: the device's way, which the bounds follow

  explicit Course(const NetworkRun& run)
      : settings{make_plan(run.network), compute_normalisation(*run.training), run.network.recipe().optimizer,
                 run.batch_size},
        training(run.training),
        order(shuffled_order(run.seed, RandomPurpose::shuffle, 1, static_cast<std::uint32_t>(run.training->count))),
        learning_rate(run.network.recipe().learning_rate),
        steps(run.steps),
        tensors(parameter_tensors(run.network)) {
    const std::int64_t batches = std::max(steps, gradient_batches);
    if (training->count < batches * settings.batch_size) {
      throw Error(fmt::format("check: {} mini-batches of {} samples need {} images, the training set has {}", batches,
                              settings.batch_size, batches * settings.batch_size, training->count));
    }
  }
};

using Samples = std::vector<std::uint32_t>;

/// A mini-batch as the network sees it.
struct Batch {
  Samples samples;
  std::vector<double> images;
  std::vector<std::uint8_t> labels;
};

Batch gather(const Course& course, Samples samples) {
  const GatherShape shape{.batch = static_cast<std::int64_t>(samples.size()),
                          .image_size = course.settings.plan.input_count};
  Batch batch;
  batch.images.resize(static_cast<std::size_t>(shape.batch * shape.image_size));
  batch.labels.resize(samples.size());
  reference::gather(shape, course.training->pixels.data(), course.training->labels.data(), samples.data(),
                    course.settings.normalisation.pixel_scale(), batch.images.data(), batch.labels.data());
  batch.samples = std::move(samples);
  return batch;
}

/// The samples of the epoch in their order, those with close windows put off until no others are left.
class ClearSamples {
 public:
  explicit ClearSamples(const Course& course) : course_(course) {}

  /// The next mini-batch, clear at the given parameters.
  Samples next(const Parameters& parameters) {
    const auto size = static_cast<std::size_t>(course_.settings.batch_size);
    while (clear_.size() < size && position_ < course_.order.size()) look_at_some(parameters);
    while (clear_.size() < size) {
      clear_.push_back(put_off_.front());
      put_off_.pop_front();
    }
    return std::exchange(clear_, {});
  }

  [[nodiscard]] std::int64_t put_off() const { return static_cast<std::int64_t>(put_off_.size()); }

 private:
  void look_at_some(const Parameters& parameters) {
    const std::size_t count =
        std::min(static_cast<std::size_t>(course_.settings.batch_size), course_.order.size() - position_);
    const auto begin = course_.order.begin() + static_cast<std::ptrdiff_t>(position_);
    Batch some = gather(course_, {begin, begin + static_cast<std::ptrdiff_t>(count)});
    const std::vector<std::int64_t> close = close_windows(course_.settings.plan, parameters, std::move(some.images),
                                                          static_cast<std::int64_t>(count), course_.methods);
    for (std::size_t i = 0; i < count && clear_.size() < static_cast<std::size_t>(course_.settings.batch_size); ++i) {
      ++position_;
      if (close[i] == 0) {
        clear_.push_back(some.samples[i]);
      } else {
        put_off_.push_back(some.samples[i]);
      }
    }
  }

  const Course& course_;
  std::size_t position_ = 0;
  Samples clear_;
  std::deque<std::uint32_t> put_off_;
};

/// The optimizer's slots start as zeros.
ExecutorState initial_state(const ExecutorSettings& settings, Parameters parameters) {
  const std::size_t count = parameters.size();
  return {std::move(parameters),
          std::vector<Parameters>(static_cast<std::size_t>(settings.optimizer.slots()), Parameters(count))};
}

/// One step of training, and the parameters after it.
Parameters take_step(const Course& course, Executor& executor, const Samples& samples, std::size_t index) {
  executor.train({.samples = samples,
                  .batch_size = course.settings.batch_size,
                  .learning_rates = {&course.learning_rate, 1},
                  .first_step = static_cast<std::int64_t>(index) + 1});
  return executor.state().parameters;
}

void start(const Course& course, Executor& executor, const Parameters& initial) {
  executor.upload(Split::training, course.training);
  executor.set_state(initial_state(course.settings, initial));
}

/// Trains on the given mini-batches, and keeps the parameters after each.
Trajectory follow(const Course& course, Executor& executor, const Parameters& initial,
                  const std::vector<Samples>& batches) {
  start(course, executor, initial);
  Trajectory trajectory;
  for (const Samples& samples : batches) {
    trajectory.push_back(take_step(course, executor, samples, trajectory.size()));
  }
  return trajectory;
}

/// The reference's run, which decides on the mini-batches of all others.
struct LeadingRun {
  std::vector<Samples> batches;
  Trajectory trajectory;
  std::int64_t put_off = 0;
};

LeadingRun lead(const Course& course, const Parameters& initial) {
  const std::unique_ptr<Executor> reference = make_reference_executor(course.settings);
  start(course, *reference, initial);
  ClearSamples samples(course);
  LeadingRun run;
  Parameters parameters = initial;
  for (std::int64_t step = 0; step < course.steps; ++step) {
    run.batches.push_back(samples.next(parameters));
    parameters = take_step(course, *reference, run.batches.back(), run.trajectory.size());
    run.trajectory.push_back(parameters);
  }
  run.put_off = samples.put_off();
  return run;
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
                                         const std::vector<Samples>& batches) {
  std::vector<Trajectory> trajectories(starts.size());
  std::vector<std::exception_ptr> errors(starts.size());
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t i = next++; i < starts.size(); i = next++) {
      try {
        trajectories[i] = follow(course, *make_reference_executor(course.settings), starts[i], batches);
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

double squared_distance(std::span<const double> a, std::span<const double> b) {
  double squares = 0;
  for (std::size_t i = 0; i < a.size(); ++i) squares += (a[i] - b[i]) * (a[i] - b[i]);
  return squares;
}

std::vector<double> mean_errors(std::span<const double> got, std::span<const double> expected,
                                const std::vector<ParameterTensor>& tensors) {
  std::vector<double> errors;
  for (const ParameterTensor& tensor : tensors) {
    const auto begin = static_cast<std::size_t>(tensor.offset);
    const auto count = static_cast<std::size_t>(tensor.count);
    errors.push_back(std::sqrt(squared_distance(got.subspan(begin, count), expected.subspan(begin, count)) /
                               static_cast<double>(count)));
  }
  return errors;
}

/// "weights of conv1"
std::string described(const ParameterTensor& tensor) {
  const bool is_bias = tensor.shape.size() == 1;
  return fmt::format("{} of {}", is_bias ? "bias" : "weights", tensor.name.substr(0, tensor.name.rfind('.')));
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

/// The parameters with every other filter of a convolution that comes first as zeros; nothing where none does. All
/// windows of such a filter are tied, and not because they see the same: which element is chosen shows in the filter's
/// gradient.
std::optional<Parameters> with_ties(const ExecutionPlan& plan, const Parameters& parameters) {
  const Operation& first = plan.operations.front();
  const auto* conv2d = std::get_if<Conv2dShape>(&first.shape);
  if (conv2d == nullptr) return std::nullopt;
  Parameters tied = parameters;
  const std::int64_t filter = conv2d->channels * conv2d->taps();
  for (std::int64_t k = 0; k < conv2d->filters; k += 2) {
    std::fill_n(tied.begin() + first.parameters.weights + k * filter, filter, 0.0);
  }
  return tied;
}

GradientReport check_gradients(const Course& course, Executor& device, std::int64_t step) {
  GradientReport report;
  report.step = step;
  const Parameters parameters = device.state().parameters;
  ClearSamples samples(course);
  Samples chosen;
  for (std::int64_t i = 0; i < gradient_batches; ++i) {
    const Samples more = samples.next(parameters);
    chosen.insert(chosen.end(), more.begin(), more.end());
  }
  chosen.resize(chosen.size() - static_cast<std::size_t>(course.settings.batch_size / 2));
  Batch batch = gather(course, std::move(chosen));
  report.passed_over = samples.put_off();
  const std::unique_ptr<Executor> reference = make_reference_executor(course.settings);
  start(course, *reference, parameters);
  const BoundedGradients bounded =
      bounded_gradients(course.settings.plan, parameters, std::move(batch.images), batch.labels, course.methods);
  report.close_windows = bounded.close_windows;
  const std::vector<double> got = device.gradients(batch.samples);
  const std::vector<double> expected = reference->gradients(batch.samples);
  compare(got, expected, bounded, report);
  report.errors = mean_errors(got, expected, course.tensors);
  return report;
}

/// Compares the paths by tensor cores with the first one that goes without.
void add_exactness(const std::vector<ParameterTensor>& tensors, const std::vector<ExecutorPath>& paths,
                   std::vector<NetworkReport>& reports) {
  const auto other = std::find_if(paths.begin(), paths.end(), [](const auto& path) { return !path.tensor_cores; });
  if (other == paths.end()) return;
  std::vector<std::string> names;
  for (const ParameterTensor& tensor : tensors) names.push_back(described(tensor));
  const std::vector<double> others = reports[static_cast<std::size_t>(other - paths.begin())].gradients.front().errors;
  for (std::size_t p = 0; p < paths.size(); ++p) {
    if (!paths[p].tensor_cores) continue;
    reports[p].exactness = compare_exactness(reports[p].gradients.front().errors, others, names);
    reports[p].exactness->other = other->name;
  }
}

}  // namespace

bool NetworkReport::passed() const {
  return trajectory.problem.empty() && (!exactness || exactness->problem.empty()) &&
         std::all_of(gradients.begin(), gradients.end(), [](const auto& report) { return report.problem.empty(); });
}

std::vector<double> drifts(const std::vector<std::vector<double>>& trajectory,
                           const std::vector<std::vector<double>>& origin) {
  std::vector<double> result;
  for (std::size_t step = 0; step < origin.size(); ++step) {
    result.push_back(std::sqrt(squared_distance(trajectory[step], origin[step])));
  }
  return result;
}

ExactnessReport compare_exactness(const std::vector<double>& errors, const std::vector<double>& others,
                                  const std::vector<std::string>& tensors) {
  ExactnessReport report;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const double ratio = error_ratio(errors[i], 0, ExactnessReport::allowance * others[i]);
    report.worst_ratio = std::max(report.worst_ratio, ratio);
    if (ratio > 1 && report.problem.empty()) {
      report.problem = fmt::format(
          "gradients of the {} are off by {:.3g} (root mean square), without tensor cores by "
          "{:.3g}; allowed are {} times as much",
          tensors[i], errors[i], others[i], ExactnessReport::allowance);
    }
  }
  return report;
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
  return check_network(run, std::vector<ExecutorPath>{{"", make_executor}}, observer).front();
}

std::vector<NetworkReport> check_network(const NetworkRun& run, const std::vector<ExecutorPath>& all_paths,
                                         const StageObserver& observer) {
  const auto announce = [&observer](const std::string& stage) {
    if (observer) observer(stage);
  };
  Course course(run);
  const std::size_t operations = course.settings.plan.operations.size();
  course.methods.assign(operations, SumMethod::plain);
  std::vector<ExecutorPath> paths;
  std::vector<std::unique_ptr<Executor>> devices;
  for (const ExecutorPath& path : all_paths) {
    std::unique_ptr<Executor> device = path.make(course.settings);
    if (path.tensor_cores && !device->path().tensor_cores) continue;
    paths.push_back(path);
    devices.push_back(std::move(device));
    for (std::size_t i = 0; i < operations; ++i) {
      course.methods[i] = std::max(course.methods[i], devices.back()->sum_method(i));
    }
  }
  if (paths.empty()) throw Error("check: the device does not take the network " + run.network.name());
  const std::vector<float> drawn = initial_parameters(run.network, run.seed);
  const Parameters initial(drawn.begin(), drawn.end());

  announce("the reference's run");
  const LeadingRun leading = lead(course, initial);
  std::vector<NetworkReport> reports;
  std::vector<Trajectory> trajectories;
  for (std::size_t p = 0; p < paths.size(); ++p) {
    Executor& device = *devices[p];
    announce(fmt::format("the device's gradients and run{}{}", paths[p].name.empty() ? "" : ", ", paths[p].name));
    Course own = course;
    for (std::size_t i = 0; i < operations; ++i) own.methods[i] = device.sum_method(i);
    NetworkReport report{
        .network = run.network.name(), .path = paths[p].name, .gradients = {}, .exactness = {}, .trajectory = {}};
    start(own, device, initial);
    report.gradients.push_back(check_gradients(own, device, 0));
    trajectories.push_back(follow(own, device, initial, leading.batches));
    report.gradients.push_back(check_gradients(own, device, own.steps));
    if (const auto tied = with_ties(own.settings.plan, initial)) {
      start(own, device, *tied);
      report.gradients.push_back(check_gradients(own, device, 0));
      report.gradients.back().ties = true;
    }
    reports.push_back(std::move(report));
  }
  add_exactness(course.tensors, paths, reports);

  announce(fmt::format("{} more runs of the reference", TrajectoryReport::directions));
  std::vector<Parameters> starts;
  for (int direction = 0; direction < TrajectoryReport::directions; ++direction) {
    starts.push_back(moved(initial, run.seed, direction));
  }
  std::vector<std::vector<double>> reference_drifts;
  for (const Trajectory& trajectory : follow_reference(course, starts, leading.batches)) {
    reference_drifts.push_back(drifts(trajectory, leading.trajectory));
  }
  for (std::size_t p = 0; p < paths.size(); ++p) {
    reports[p].trajectory = judge(drifts(trajectories[p], leading.trajectory), reference_drifts);
    reports[p].trajectory.passed_over = leading.put_off;
  }
  return reports;
}

}  // namespace touchstone::check
