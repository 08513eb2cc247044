// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/allocator.h"
#include "kernels/backend.h"
#include "kernels/network_pass.h"
#include "kernels/step.h"
#include "touchstone/executor.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// The tensors that an executor keeps from its first day to its last.
struct ExecutorTensors {
  /// `fuses_blocks`: as of fuse().
  ExecutorTensors(const ExecutorSettings& settings, Allocator& allocator, bool fuses_blocks);

  Buffer<float> parameters;
  Buffer<float> gradients;
  std::vector<Buffer<float>> slots;  ///< the optimizer's state
  Buffer<std::uint8_t> labels;       ///< of the mini-batch
  Buffer<StepCursor> cursor;
  Buffer<char> blas_workspace;
  NetworkPass pass;
};

/// The tensors, in one piece of memory where the allocator is an arena. Throws Error where they do not fit, with a
/// batch size that would.
[[nodiscard]] std::unique_ptr<ExecutorTensors> make_executor_tensors(const ExecutorSettings& settings,
                                                                     Allocator& allocator, bool fuses_blocks);

}  // namespace touchstone::TOUCHSTONE_BACKEND
