// SPDX-License-Identifier: Apache-2.0
//
// One step of SGD with momentum, Adam or AdamW over the flat parameter vector (formulas and conventions:
// include/touchstone/optimizer.h). Memory-bound: 20 bytes a parameter for SGD, 28 for Adam. Padding between tensors
// holds zeros and stays zero under each rule.
//
// What changes from step to step (kernels/step.h) is read from device memory, so that a captured launch serves for all
// steps. Square roots and quotients are rounded correctly.
#include "kernels/geometry.h"
#include "kernels/launch.h"
#include "kernels/optimizer.h"

namespace touchstone::TOUCHSTONE_BACKEND {
namespace {

constexpr int threads = 256;

// The settings, each rounded to float32 once.
struct Constants {
  float momentum;
  float weight_decay;
  float beta1;
  float one_minus_beta1;
  float beta2;
  float one_minus_beta2;
  float epsilon;
};

Constants constants_of(const OptimizerSettings& settings) {
  return Constants{.momentum = static_cast<float>(settings.momentum),
                   .weight_decay = static_cast<float>(settings.weight_decay),
                   .beta1 = static_cast<float>(settings.beta1),
                   .one_minus_beta1 = static_cast<float>(1 - settings.beta1),
                   .beta2 = static_cast<float>(settings.beta2),
                   .one_minus_beta2 = static_cast<float>(1 - settings.beta2),
                   .epsilon = static_cast<float>(settings.epsilon)};
}

__device__ StepRecord current_record(const StepRecord* records, const StepCursor* cursor) {
  return records[cursor == nullptr ? 0 : cursor->step];
}

// Thread: one parameter.
__global__ void __launch_bounds__(threads)
    sgd_kernel(std::int64_t count, Constants c, const StepRecord* records, const StepCursor* cursor,
               const float* gradients, float* parameters, float* momentum_buffer) {
  const std::int64_t i = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  if (i >= count) {
    return;
  }
  const StepRecord record = current_record(records, cursor);
  const float gradient = gradients[i] + c.weight_decay * parameters[i];
  const float velocity = c.momentum * momentum_buffer[i] + gradient;
  momentum_buffer[i] = velocity;
  parameters[i] -= record.learning_rate * velocity;
}

// Thread: one parameter. DECOUPLED: the weight decay of AdamW, which never enters the moments.
template <bool DECOUPLED>
__global__ void __launch_bounds__(threads)
    adam_kernel(std::int64_t count, Constants c, const StepRecord* records, const StepCursor* cursor,
                const float* gradients, float* parameters, float* first_moment, float* second_moment) {
  const std::int64_t i = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  if (i >= count) {
    return;
  }
  const StepRecord record = current_record(records, cursor);
  const float parameter = DECOUPLED ? parameters[i] * record.decay : parameters[i];
  const float gradient = DECOUPLED ? gradients[i] : gradients[i] + c.weight_decay * parameter;
  const float m = c.beta1 * first_moment[i] + c.one_minus_beta1 * gradient;
  const float v = c.beta2 * second_moment[i] + c.one_minus_beta2 * gradient * gradient;
  first_moment[i] = m;
  second_moment[i] = v;
  parameters[i] = parameter - record.adam_rate * m / (sqrtf(v) / record.second_moment_root + c.epsilon);
}

using Kernel = void (*)(std::int64_t, Constants, const StepRecord*, const StepCursor*, const float*, float*, float*,
                        float*);

void launch_adam(Kernel kernel, std::int64_t count, const OptimizerSettings& settings, const StepRecord* records,
                 const StepCursor* cursor, const float* gradients, float* parameters, float* first_moment,
                 float* second_moment, cudaStream_t stream) {
  if (count == 0) {
    return;
  }
  launch(kernel, dim3(grid_size(divide_up<std::int64_t>(count, threads))), dim3(threads), 0, stream, count,
         constants_of(settings), records, cursor, gradients, parameters, first_moment, second_moment);
}

}  // namespace

void sgd(std::int64_t count, const OptimizerSettings& settings, const StepRecord* records, const StepCursor* cursor,
         const float* gradients, float* parameters, float* momentum_buffer, cudaStream_t stream) {
  if (count == 0) {
    return;
  }
  launch(sgd_kernel, dim3(grid_size(divide_up<std::int64_t>(count, threads))), dim3(threads), 0, stream, count,
         constants_of(settings), records, cursor, gradients, parameters, momentum_buffer);
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
