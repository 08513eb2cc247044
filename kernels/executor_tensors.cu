// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>

#include "kernels/executor_tensors.h"
#include "kernels/handles.h"

namespace touchstone::TOUCHSTONE_BACKEND {
namespace {

std::vector<Buffer<float>> make_slots(const ExecutorSettings& settings, Allocator& allocator) {
  std::vector<Buffer<float>> slots;
  for (int slot = 0; slot < settings.optimizer.slots(); ++slot) {
    slots.emplace_back(allocator, settings.plan.parameter_floats, "the optimizer's state");
  }
  return slots;
}

// Bytes of all tensors for a batch size, as an Arena lays them out.
std::size_t needed_bytes(ExecutorSettings settings, std::int64_t batch_size, bool fuses_blocks) {
  settings.batch_size = batch_size;
  CountingAllocator counter;
  const ExecutorTensors tensors(settings, counter, fuses_blocks);
  return counter.bytes();
}

// The largest power of two below the settings' batch size whose tensors fit into `bytes`; 0 where none does.
std::int64_t fitting_batch_size(const ExecutorSettings& settings, std::size_t bytes, bool fuses_blocks) {
  std::int64_t candidate = 1;
  while (2 * candidate < settings.batch_size) {
    candidate *= 2;
  }
  while (candidate > 0 && needed_bytes(settings, candidate, fuses_blocks) > bytes) {
    candidate /= 2;
  }
  return candidate < settings.batch_size ? candidate : 0;
}

// The error of tensors that did not fit, with what to do.
Error with_advice(const OutOfMemory& error, const ExecutorSettings& settings, bool fuses_blocks) {
  const std::int64_t fitting = fitting_batch_size(settings, error.free_bytes(), fuses_blocks);
  return Error(std::string(error.what()) + "; " +
               (fitting > 0 ? "a batch size of " + std::to_string(fitting) + " fits (--batch-size)"
                            : "not even a batch of 1 fits: use another device"));
}

}  // namespace

ExecutorTensors::ExecutorTensors(const ExecutorSettings& settings, Allocator& allocator, bool fuses_blocks)
    : parameters(allocator, settings.plan.parameter_floats, "the parameters"),
      gradients(allocator, settings.plan.parameter_floats, "the parameters' gradients"),
      slots(make_slots(settings, allocator)),
      labels(allocator, settings.batch_size, "the labels"),
      cursor(allocator, 1, "the cursor"),
      blas_workspace(allocator, static_cast<std::int64_t>(blas_workspace_bytes), "the workspace of cuBLAS"),
      pass(settings.plan, settings.batch_size, allocator, fuses_blocks) {}

std::unique_ptr<ExecutorTensors> make_executor_tensors(const ExecutorSettings& settings, Allocator& allocator,
                                                       bool fuses_blocks) {
  try {
    allocator.reserve(needed_bytes(settings, settings.batch_size, fuses_blocks),
                      "training in batches of " + std::to_string(settings.batch_size));
    return std::make_unique<ExecutorTensors>(settings, allocator, fuses_blocks);
  } catch (const OutOfMemory& error) {
    throw with_advice(error, settings, fuses_blocks);
  }
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
