// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/backend.h"
#include "kernels/executor_tensors.h"
#include "kernels/handles.h"
#include "kernels/run_tensors.h"
#include "touchstone/executor.h"
#include "touchstone/operation_recorder.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// Queues the operations of a step one by one, each within an NVTX range. The mini-batch stands at the cursor, which
/// they read on the device.
class LayeredPath {
 public:
  /// All outlive the path.
  LayeredPath(const ExecutorSettings& settings, const ExecutorTensors& tensors, cublasHandle_t blas,
              cudaStream_t stream)
      : settings_(settings), tensors_(tensors), blas_(blas), stream_(stream) {}

  /// A step of training, which moves the cursor on; or, unless it `trains`, losses and correctness alone.
  void queue_step(const RunTensors& run, std::int64_t batch, bool trains, OperationRecorder* recorder) const;
  /// Gathers the mini-batch and runs it forward to the logits.
  void queue_forward(const RunTensors& run, std::int64_t batch, OperationRecorder* recorder) const;
  /// The gradient of `scale` times the sum of the mini-batch's losses.
  void queue_gradients(const RunTensors& run, std::int64_t batch, double scale, OperationRecorder* recorder) const;
  void queue_advance(std::int64_t batch, OperationRecorder* recorder) const;

 private:
  void queue_loss(const RunTensors& run, std::int64_t batch, double scale, bool with_gradient,
                  OperationRecorder* recorder) const;
  void queue_update(const RunTensors& run, OperationRecorder* recorder) const;

  const ExecutorSettings& settings_;
  const ExecutorTensors& tensors_;
  cublasHandle_t blas_;
  cudaStream_t stream_;
};

}  // namespace touchstone::TOUCHSTONE_BACKEND
