// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "kernels/allocator.h"
#include "kernels/backend.h"
#include "kernels/devices.h"
#include "kernels/executor_tensors.h"
#include "kernels/fused_step.h"
#include "kernels/fused_step_shape.h"
#include "kernels/handles.h"
#include "kernels/run_tensors.h"
#include "touchstone/executor.h"
#include "touchstone/operation_recorder.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// How an executor runs a plan.
struct PathChoice {
  std::optional<FusedStepShape> fused = {};  ///< nothing: operation by operation
  int cooperative_blocks = 0;                ///< of a launch that runs many fused steps; 0: two launches a step
  bool fuses_blocks = false;                 ///< where operations run one by one: as of fuse()
  ExecutionPath path = {};                   ///< in words
};

/// Chooses among the paths that the options allow, for the current device: whole steps fused, or blocks, or nothing.
/// Throws UsageError where something fused is asked for and nothing can be.
[[nodiscard]] PathChoice choose_path(const ExecutionPlan& plan, const CudaOptions& options);

/// Queues fused steps: all steps of a run in one cooperative launch, or graphs of many steps of two launches each, or
/// the launches one by one, each within an NVTX range. All give the same bits.
class FusedPath {
 public:
  /// All but `choice` outlive the path. With its own tensors from `allocator`.
  FusedPath(const PathChoice& choice, const ExecutorSettings& settings, const CudaOptions& options,
            const ExecutorTensors& tensors, Allocator& allocator, cudaStream_t stream);

  /// All steps of a run of `samples` samples; the cursor is at its beginning.
  void queue_training(const RunTensors& run, std::int64_t samples, std::int64_t batch_size,
                      OperationRecorder* recorder);
  /// Losses and correctness of all samples of a run; and logits [samples,classes] where they are not nullptr.
  void queue_forward(const RunTensors& run, std::int64_t samples, float* logits);
  /// Brings the parameters to where gradients and steps read them, after others have written them.
  void queue_parameters() const;
  /// The gradient of `scale` times the sum of the losses of the mini-batch at the cursor, which moves on: to the
  /// executor's gradients.
  void queue_gradients(const RunTensors& run, std::int64_t batch, double scale) const;

  /// Drops what refers to a run's tensors.
  void forget_run() { graph_ = ExecutableGraph(); }

 private:
  [[nodiscard]] FusedStepTensors tensors_of(const RunTensors& run, float* logits = nullptr) const;
  void queue_step(const RunTensors& run, std::int64_t batch, OperationRecorder* recorder) const;

  FusedStepShape shape_;
  int cooperative_blocks_;
  std::int64_t forward_blocks_;
  const ExecutorSettings& settings_;
  const CudaOptions& options_;
  const ExecutorTensors& tensors_;
  cudaStream_t stream_;
  Buffer<float> packed_;
  Buffer<float> partials_;
  Buffer<unsigned> barrier_;
  ExecutableGraph graph_;  // of graph_steps steps
  std::int64_t graph_batch_ = 0;
  bool has_run_ = false;
};

}  // namespace touchstone::TOUCHSTONE_BACKEND
