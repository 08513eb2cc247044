// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "touchstone/dataset.h"
#include "touchstone/execution_path.h"
#include "touchstone/operation_recorder.h"
#include "touchstone/optimizer.h"
#include "touchstone/plan.h"

namespace touchstone {

/// Which of a data set's two halves.
enum class Split : std::uint8_t { training, test };

/// What an executor is made for.
struct ExecutorSettings {
  ExecutionPlan plan;
  Normalisation normalisation;
  OptimizerSettings optimizer;
  std::int64_t batch_size = 64;  ///< the largest mini-batch that train() will be given
};

/// Sums over the samples of some steps, or of an evaluation.
struct Metrics {
  double loss_sum = 0;       ///< sum of the samples' losses
  std::int64_t correct = 0;  ///< samples whose largest logit is the label's
  std::int64_t count = 0;    ///< samples
  /// The first step (counted as in TrainingSteps::first_step) whose loss was NaN or infinite; -1 where there was none.
  std::int64_t first_non_finite_step = -1;

  /// Adds `other`, whose steps come later.
  Metrics& operator+=(const Metrics& other);
  [[nodiscard]] double mean_loss() const { return loss_sum / static_cast<double>(count); }
  [[nodiscard]] double accuracy() const { return static_cast<double>(correct) / static_cast<double>(count); }
};

/// Some consecutive steps of training: step i takes samples[i*batch_size ...], the last may be smaller.
struct TrainingSteps {
  std::span<const std::uint32_t> samples;  ///< indices into the training set
  std::int64_t batch_size = 64;
  std::span<const double> learning_rates;  ///< one a step
  std::int64_t first_step = 1;             ///< the number of the first of them, counted from 1 over the whole run
};

/// Everything a run needs to go on: parameters, then the optimizer's slots, each in the plan's flat layout. Doubles
/// hold a float32 device's values exactly.
struct ExecutorState {
  std::vector<double> parameters;
  std::vector<std::vector<double>> optimizer_slots;
};

/// The one seam between training and the backends: owns parameters and optimizer state on its device. Not thread-safe.
/// All gradients and losses of a mini-batch are means over its samples.
class Executor {
 public:
  Executor() = default;
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;
  virtual ~Executor() = default;

  /// "cpu", "reference", "cuda:0": as reports and checkpoints name it.
  [[nodiscard]] virtual std::string device() const = 0;
  /// How it runs its network.
  [[nodiscard]] virtual ExecutionPath path() const { return {.name = "layered", .detail = ""}; }
  /// Whether it computes in double precision (the reference) rather than float32.
  [[nodiscard]] virtual bool double_precision() const { return false; }
  /// How it takes the sums of the plan's operation `index`, a convolution.
  [[nodiscard]] virtual SumMethod sum_method(std::size_t /*index*/) const { return SumMethod::plain; }

  /// Whether a failure (a DeviceError) can take the device's memory with it, so that who runs steps should keep a copy
  /// of the state.
  [[nodiscard]] virtual bool may_be_lost() const { return false; }

  /// How many steps a caller that wants to report progress, and to stop soon when asked to, should give train() at
  /// once: about a tenth of a second's work. Depends on plan, batch size and device alone, never on measurements, so
  /// that sums over steps are the same in each run.
  [[nodiscard]] virtual std::int64_t steps_per_report() const { return 1; }

  /// Tells profilers that an epoch begins; its range lasts until the next begins or the executor ends.
  virtual void mark_epoch(std::int64_t /*epoch*/) {}

  /// Makes a set available to the calls below. Its images have the plan's input size and its labels, where
  /// the loss uses them, are below the plan's classes (Error otherwise).
  virtual void upload(Split split, SharedImageSet images) = 0;

  [[nodiscard]] virtual ExecutorState state() const = 0;
  /// Throws Error where sizes do not fit the plan and the optimizer.
  virtual void set_state(const ExecutorState& state) = 0;

  /// Runs the steps and returns their metrics, each sample's loss and correctness taken before its step's update.
  /// After a step with a non-finite loss the parameters are not to be used.
  virtual Metrics train(const TrainingSteps& steps) = 0;

  /// Loss and accuracy over the given samples of a split.
  virtual Metrics evaluate(Split split, std::span<const std::uint32_t> samples) = 0;

  /// The logits or reconstructions [samples,output_count] of the given samples of a split.
  virtual std::vector<float> logits(Split split, std::span<const std::uint32_t> samples) = 0;

  /// The codes [samples,input_count of the code operation] of the given samples of a split: see
  /// ExecutionPlan::code_operation.
  virtual std::vector<float> codes(Split split, std::span<const std::uint32_t> samples) = 0;

  /// The gradient of the mean loss over the given training samples, in the plan's flat layout; changes nothing.
  virtual std::vector<double> gradients(std::span<const std::uint32_t> samples) = 0;

  /// Times each operation of train() by itself from now on; a step that would be replayed as a graph is launched
  /// operation by operation. A profiler that waits for the program's word (cudaProfilerStart) begins here. Throws
  /// UsageError where the device does not time operations.
  virtual void start_recording();
  /// Ends the recording: what was timed since it began, each lane in the order of time.
  virtual std::vector<RecordedOperation> stop_recording();
};

/// The reference executor: layer by layer, double precision, written to be read.
std::unique_ptr<Executor> make_reference_executor(const ExecutorSettings& settings);

/// The CPU executor. The same bits for any number of threads; `threads` at least 1. Throws UsageError where `path` asks
/// for blocks computed as one and the plan has none.
std::unique_ptr<Executor> make_cpu_executor(const ExecutorSettings& settings, int threads,
                                            PathRequest path = PathRequest::automatic);

/// How make_cpu_executor() would run a plan. Throws as it does.
ExecutionPath cpu_execution_path(const ExecutionPlan& plan, PathRequest request);

}  // namespace touchstone
