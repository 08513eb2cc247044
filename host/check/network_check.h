// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "touchstone/dataset.h"
#include "touchstone/executor.h"
#include "touchstone/network.h"

namespace touchstone::check {

/// Makes the executor that is checked.
using ExecutorMaker = std::function<std::unique_ptr<Executor>(const ExecutorSettings&)>;

/// One of the paths that a device can take.
struct ExecutorPath {
  std::string name;  ///< "fused"; empty where there is only one
  ExecutorMaker make;
  bool tensor_cores = false;  ///< whether it is theirs, and left out for a network that they do not take
};

/// What the checks of a whole network run: training of `network` on `training`, mini-batch after mini-batch in the
/// order of the first epoch.
struct NetworkRun {
  static constexpr std::int64_t default_steps = 50;

  Network network;
  SharedImageSet training;
  std::uint64_t seed = 1;
  std::int64_t steps = default_steps;
  std::int64_t batch_size = 64;
};

/// The gradients of two and a half mini-batches, each against its own bound (see bounded_gradients.h). They are made of
/// the first samples of the run that have no close window, so that device and reference choose alike in every max-pool.
struct GradientReport {
  std::int64_t step = 0;  ///< parameters are those after so many steps
  bool ties = false;      ///< and every other filter of the first convolution is zero
  std::int64_t parameters = 0;
  std::int64_t wrong = 0;
  double worst_ratio = 0;
  double loosest_bound = 0;        ///< the largest bound, in units of the largest gradient
  std::vector<double> errors;      ///< root mean squares, of each of the plan's tensors of parameters
  std::int64_t passed_over = 0;    ///< samples with close windows
  std::int64_t close_windows = 0;  ///< left in the mini-batch where other samples were lacking
  std::string problem;             ///< empty where all is well
};

/// How exact the gradients of a path by tensor cores are, beside those of another path at the same parameters. Bounds
/// allow all roundings to point the same way, and where each factor is kept as two numbers have room for one that is
/// lost; errors that are added up at random have not. Allowed are `allowance` times the other's, of each tensor.
struct ExactnessReport {
  static constexpr double allowance = 4;

  std::string other;       ///< its name
  double worst_ratio = 0;  ///< the largest share of what is allowed
  std::string problem;     ///< empty where all is well
};

/// How far a device's parameters drift from the reference's while both train. A drift is the Euclidean distance of two
/// parameter vectors after the same number of steps. Allowed is ten times the largest drift of the reference from
/// itself in runs whose initial parameters are moved by one float32 ulp each, up or down, in `directions` random
/// directions. All runs take the samples of the epoch in their order, but for those that have a close window
/// (bounded_gradients.h) when their turn comes: there the last bit may move a gradient to another pixel, and the drift
/// would tell which run was spared that by luck rather than how right it is.
struct TrajectoryReport {
  static constexpr int directions = 5;
  static constexpr double allowance = 10;

  std::int64_t steps = 0;
  std::int64_t worst_step = 0;   ///< counted from 1; 0: there was no drift
  double worst_ratio = 0;        ///< the largest share of what is allowed
  double drift = 0;              ///< of the device, after the last step
  double reference_drift = 0;    ///< of the reference from itself, after the last step
  std::int64_t passed_over = 0;  ///< samples with close windows
  std::string problem;           ///< empty where all is well
};

/// All checks of one network.
struct NetworkReport {
  std::string network;                    ///< its name
  std::string path;                       ///< that of ExecutorPath
  std::vector<GradientReport> gradients;  ///< before the first step, after the last, and in a network that begins with
                                          ///< a convolution with ties
  std::optional<ExactnessReport> exactness;  ///< of the first of them; by tensor cores, where there is another path
  TrajectoryReport trajectory;

  [[nodiscard]] bool passed() const;
};

/// What is being done: "the reference, run 3 of 6".
using StageObserver = std::function<void(const std::string& stage)>;

NetworkReport check_network(const NetworkRun& run, const ExecutorMaker& make_executor,
                            const StageObserver& observer = {});

/// The same for several paths, which share the reference's runs: a window that is close for one of them is passed over
/// by all.
std::vector<NetworkReport> check_network(const NetworkRun& run, const std::vector<ExecutorPath>& paths,
                                         const StageObserver& observer = {});

/// The distances of `trajectory` [step][parameter] from `origin`, step by step.
std::vector<double> drifts(const std::vector<std::vector<double>>& trajectory,
                           const std::vector<std::vector<double>>& origin);

/// Judges the errors [tensor] of a path by those of another one. `tensors`: their names.
ExactnessReport compare_exactness(const std::vector<double>& errors, const std::vector<double>& others,
                                  const std::vector<std::string>& tensors);

/// Judges the drifts [step] of a device by those of the reference [direction][step].
TrajectoryReport judge(const std::vector<double>& device, const std::vector<std::vector<double>>& reference);

}  // namespace touchstone::check
