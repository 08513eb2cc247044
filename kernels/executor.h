// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "host/reference/executor_support.h"
#include "kernels/allocator.h"
#include "kernels/backend.h"
#include "kernels/devices.h"
#include "kernels/event_recorder.h"
#include "kernels/executor_tensors.h"
#include "kernels/fused_path.h"
#include "kernels/handles.h"
#include "kernels/layered_path.h"
#include "kernels/profiling.h"
#include "kernels/reduce_metrics.h"
#include "kernels/run_tensors.h"
#include "kernels/step.h"
#include "touchstone/executor.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// The executor on a CUDA device. Everything lives on the device: the data sets as bytes, parameters, optimizer state
/// and all that a step needs. A call of train() uploads the order of its samples and what changes from step to step,
/// queues the steps, and waits once for their metrics. Steps are fused (kernels/fused_path.h) where the network allows
/// it. A layered step is captured in a graph the second time it is run with some batch size (the first run loads the
/// kernels) and replayed from then on; what differs between replays, kernels read from the cursor and the records in
/// device memory.
class CudaExecutor final : public Executor {
 public:
  CudaExecutor(const ExecutorSettings& settings, const CudaOptions& options);
  CudaExecutor(const CudaExecutor&) = delete;
  CudaExecutor& operator=(const CudaExecutor&) = delete;
  ~CudaExecutor() override;

  [[nodiscard]] std::string device() const override;
  [[nodiscard]] ExecutionPath path() const override { return path_; }
  [[nodiscard]] SumMethod sum_method(std::size_t index) const override {
    const bool is_convolution = std::holds_alternative<Conv2dShape>(settings_.plan.operations[index].shape);
    return path_.tensor_cores && is_convolution ? SumMethod::tensor_cores : SumMethod::plain;
  }
  [[nodiscard]] bool may_be_lost() const override { return true; }
  [[nodiscard]] std::int64_t steps_per_report() const override;
  void mark_epoch(std::int64_t epoch) override;
  void upload(Split split, SharedImageSet images) override;
  [[nodiscard]] ExecutorState state() const override;
  void set_state(const ExecutorState& state) override;
  Metrics train(const TrainingSteps& steps) override;
  Metrics evaluate(Split split, std::span<const std::uint32_t> samples) override;
  std::vector<float> logits(Split split, std::span<const std::uint32_t> samples) override;
  std::vector<float> codes(Split split, std::span<const std::uint32_t> samples) override;
  std::vector<double> gradients(std::span<const std::uint32_t> samples) override;
  void start_recording() override;
  std::vector<RecordedOperation> stop_recording() override;

 private:
  using Samples = std::span<const std::uint32_t>;

  /// A data set on the device.
  struct DeviceImages {
    Buffer<std::uint8_t> pixels;
    Buffer<std::uint8_t> labels;
  };

  /// What a run of steps works through, one value a sample or a step.
  struct RunBuffers {
    Buffer<std::uint32_t> indices;
    Buffer<float> losses;
    Buffer<std::uint8_t> correct;
    Buffer<StepRecord> records;
  };

  /// What is done with a mini-batch; with its size, what a graph is captured for.
  enum class StepKind : std::uint8_t { train, evaluate_training, evaluate_test };
  using StepKey = std::pair<StepKind, std::int64_t>;

  /// How a kind of step has been run so far.
  struct Step {
    bool has_run = false;
    ExecutableGraph graph;
  };

  void zero_state();
  void reserve_run(std::int64_t samples, std::int64_t steps);
  void begin_run(Samples samples, std::vector<StepRecord> records);
  [[nodiscard]] Metrics end_run(std::int64_t count);
  void run_step(StepKind kind, std::int64_t batch);
  [[nodiscard]] std::vector<float> activations(Split split, Samples samples, const float* values, std::int64_t size);
  void queue_step(StepKind kind, std::int64_t batch);
  void forget_run();
  [[nodiscard]] RunTensors run_tensors(Split split) const;
  [[nodiscard]] std::vector<StepRecord> make_records(const TrainingSteps& steps) const;
  void finish() const;

  ExecutorSettings settings_;
  CudaOptions options_;
  UploadedImages images_;
  // In the order of construction; destroyed in reverse, buffers before the allocator.
  Stream stream_;
  std::unique_ptr<Allocator> allocator_;
  std::unique_ptr<ExecutorTensors> tensors_;
  BlasHandle blas_;
  std::unique_ptr<LayeredPath> layered_;
  std::unique_ptr<FusedPath> fused_;  // where it is the path
  ExecutionPath path_;
  std::array<DeviceImages, 2> device_images_;
  RunBuffers run_;
  std::vector<StepRecord> records_;  // on the host, while their copy is under way
  std::vector<std::uint32_t> order_;
  std::map<StepKey, Step> steps_;
  std::optional<ProfilerRange> epoch_range_;
  std::unique_ptr<EventRecorder> recorder_;  // while recording
};

}  // namespace touchstone::TOUCHSTONE_BACKEND
