// SPDX-License-Identifier: Apache-2.0
//
// One step of SGD with momentum, Adam or AdamW over the flat parameter vector (formulas and conventions:
// include/touchstone/optimizer.h). Memory-bound: 20 bytes a parameter for SGD, 28 for Adam. Padding between tensors
// holds zeros and stays zero under each rule.
//
// What changes from step to step (kernels/step.h) is read from device memory, so that a captured launch serves for all
// steps. The rules themselves: kernels/optimizer_rule.h.
#include "kernels/geometry.h"
#include "kernels/launch.h"
#include "kernels/optimizer.h"
#include "kernels/optimizer_rule.h"

namespace touchstone::TOUCHSTONE_BACKEND {
namespace {

constexpr int threads = 256;

__device__ StepRecord current_record(const StepRecord* records, const StepCursor* cursor) {
  return records[cursor == nullptr ? 0 : cursor->step];
}

// Thread: one parameter.
__global__ void __launch_bounds__(threads)
    sgd_kernel(std::int64_t count, OptimizerConstants c, const StepRecord* records, const StepCursor* cursor,
               const float* gradients, float* parameters, float* momentum_buffer) {
  const std::int64_t i = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  if (i >= count) {
    return;
  }
  sgd_rule(c, current_record(records, cursor), gradients[i], parameters[i], momentum_buffer[i]);
}

// Thread: one parameter. DECOUPLED: the weight decay of AdamW, which never enters the moments.
template <bool DECOUPLED>
__global__ void __launch_bounds__(threads)
    adam_kernel(std::int64_t count, OptimizerConstants c, const StepRecord* records, const StepCursor* cursor,
                const float* gradients, float* parameters, float* first_moment, float* second_moment) {
  const std::int64_t i = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  if (i >= count) {
    return;
  }
  adam_rule<DECOUPLED>(c, current_record(records, cursor), gradients[i], parameters[i], first_moment[i],
                       second_moment[i]);
}

using Kernel = void (*)(std::int64_t, OptimizerConstants, const StepRecord*, const StepCursor*, const float*, float*,
                        float*, float*);

void launch_adam(Kernel kernel, std::int64_t count, const OptimizerSettings& settings, const StepRecord* records,
                 const StepCursor* cursor, const float* gradients, float* parameters, float* first_moment,
                 float* second_moment, cudaStream_t stream) {
  if (count == 0) {
    return;
  }
  launch(kernel, dim3(grid_size(divide_up<std::int64_t>(count, threads))), dim3(threads), 0, stream, count,
         optimizer_constants(settings), records, cursor, gradients, parameters, first_moment, second_moment);
}

}  // namespace

void sgd(std::int64_t count, const OptimizerSettings& settings, const StepRecord* records, const StepCursor* cursor,
         const float* gradients, float* parameters, float* momentum_buffer, cudaStream_t stream) {
  if (count == 0) {
    return;
  }
  launch(sgd_kernel, dim3(grid_size(divide_up<std::int64_t>(count, threads))), dim3(threads), 0, stream, count,
         optimizer_constants(settings), records, cursor, gradients, parameters, momentum_buffer);
}

void adam(std::int64_t count, const OptimizerSettings& settings, const StepRecord* records, const StepCursor* cursor,
          const float* gradients, float* parameters, float* first_moment, float* second_moment, cudaStream_t stream) {
  launch_adam(adam_kernel<false>, count, settings, records, cursor, gradients, parameters, first_moment, second_moment,
              stream);
}

void adamw(std::int64_t count, const OptimizerSettings& settings, const StepRecord* records, const StepCursor* cursor,
           const float* gradients, float* parameters, float* first_moment, float* second_moment, cudaStream_t stream) {
  launch_adam(adam_kernel<true>, count, settings, records, cursor, gradients, parameters, first_moment, second_moment,
              stream);
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
