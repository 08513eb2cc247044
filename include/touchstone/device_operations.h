// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "touchstone/conv2d.h"
#include "touchstone/conv2d_maxpool_sigmoid.h"
#include "touchstone/dense.h"
#include "touchstone/gather.h"
#include "touchstone/gaussian_operations.h"
#include "touchstone/half_squared_error.h"
#include "touchstone/maxpool.h"
#include "touchstone/optimizer.h"
#include "touchstone/random.h"
#include "touchstone/softmax_cross_entropy.h"
#include "touchstone/timed_operations.h"

namespace touchstone {

/// The operations of one device, each called singly on host arrays: what `touchstone check` compares with the
/// reference. Shapes, layouts and formulas are those of the functions of the same names in touchstone::reference.
/// A device with memory of its own copies the inputs in, poisons the outputs, runs the operation and copies the
/// outputs back, on each call; it throws Error where something was written outside an output.
class DeviceOperations : public TimedOperations {
 public:
  [[nodiscard]] virtual std::string device() const = 0;

  /// The ways of running an operation that must all give the same bits: the schedules of the emulation, the numbers
  /// of threads of a CPU. At least one.
  [[nodiscard]] virtual std::vector<std::string> variants() const { return {"default"}; }
  /// Chooses variant `index` of variants() for the following calls; 0 at first.
  virtual void select_variant(std::size_t /*index*/) {}

  /// The operations on Gaussians, in double precision; variants hold for them too, a timer does not.
  [[nodiscard]] virtual GaussianOperations& gaussian() = 0;

  /// target[i] = source[i], to measure how fast memory is. Throws UsageError where the device has no such operation.
  virtual void copy(std::int64_t count, const float* source, float* target);
  /// Multiply-adds in registers, in as many independent chains as keep the device busy, `rounds` in each, to measure
  /// how fast it computes; their number. Throws UsageError where the device has no such operation.
  virtual std::int64_t multiply_add(std::int64_t rounds);
  /// The same in double precision.
  virtual std::int64_t multiply_add_double(std::int64_t rounds);

  virtual void conv2d_forward(const Conv2dShape& shape, const float* input, const float* filters, const float* bias,
                              float* output) = 0;
  virtual void conv2d_backward_data(const Conv2dShape& shape, const float* grad_output, const float* filters,
                                    float* grad_input) = 0;
  virtual void conv2d_backward_filters(const Conv2dShape& shape, const float* grad_output, const float* input,
                                       float* grad_filters) = 0;
  virtual void conv2d_backward_bias(const Conv2dShape& shape, const float* grad_output, float* grad_bias) = 0;

  virtual void sigmoid_forward(std::int64_t count, const float* input, float* output) = 0;
  virtual void sigmoid_backward(std::int64_t count, const float* grad_output, const float* output,
                                float* grad_input) = 0;

  virtual void maxpool_forward(const MaxpoolShape& shape, const float* input, float* output, std::int32_t* argmax) = 0;
  virtual void maxpool_backward(const MaxpoolShape& shape, const float* grad_output, const std::int32_t* argmax,
                                float* grad_input) = 0;

  virtual void dense_forward(const DenseShape& shape, const float* input, const float* weights, const float* bias,
                             float* output) = 0;
  virtual void dense_backward_data(const DenseShape& shape, const float* grad_output, const float* weights,
                                   float* grad_input) = 0;
  virtual void dense_backward_weights(const DenseShape& shape, const float* grad_output, const float* input,
                                      float* grad_weights) = 0;
  virtual void dense_backward_bias(const DenseShape& shape, const float* grad_output, float* grad_bias) = 0;

  virtual void softmax_cross_entropy(const SoftmaxCrossEntropyShape& shape, const float* logits,
                                     const std::uint8_t* labels, float scale, float* losses, float* grad_logits) = 0;
  virtual void half_squared_error(const HalfSquaredErrorShape& shape, const float* outputs, const float* targets,
                                  float scale, float* losses, float* grad_outputs) = 0;
  virtual std::int64_t accuracy(const SoftmaxCrossEntropyShape& shape, const float* logits,
                                const std::uint8_t* labels) = 0;

  virtual void sgd(std::int64_t count, const OptimizerSettings& settings, const OptimizerStep& step,
                   const float* gradients, float* parameters, float* momentum_buffer) = 0;
  virtual void adam(std::int64_t count, const OptimizerSettings& settings, const OptimizerStep& step,
                    const float* gradients, float* parameters, float* first_moment, float* second_moment) = 0;
  virtual void adamw(std::int64_t count, const OptimizerSettings& settings, const OptimizerStep& step,
                     const float* gradients, float* parameters, float* first_moment, float* second_moment) = 0;

  /// `count` is the number of images in the data set that `pixels` and `labels` hold.
  virtual void gather(const GatherShape& shape, std::int64_t count, const std::uint8_t* pixels,
                      const std::uint8_t* labels, const std::uint32_t* indices, const PixelScale& scale, float* images,
                      std::uint8_t* batch_labels) = 0;
  /// The order that shuffled_order() gives.
  virtual std::vector<std::uint32_t> shuffle(std::uint64_t seed, RandomPurpose purpose, std::uint32_t epoch,
                                             std::uint32_t count) = 0;

  /// Whether conv2d_maxpool_sigmoid_forward takes its sums by Winograd's method, whose roundings are others than those
  /// of plain sums (check/winograd_sums.h).
  [[nodiscard]] virtual bool conv2d_maxpool_sigmoid_by_winograd(const Conv2dMaxpoolSigmoidShape& /*shape*/) const {
    return false;
  }
  virtual void conv2d_maxpool_sigmoid_forward(const Conv2dMaxpoolSigmoidShape& shape, const float* input,
                                              const float* filters, const float* bias, float* output,
                                              std::uint8_t* argmax) = 0;
  virtual void conv2d_maxpool_sigmoid_backward_data(const Conv2dMaxpoolSigmoidShape& shape, const float* grad_output,
                                                    const float* output, const std::uint8_t* argmax,
                                                    const float* filters, float* grad_input) = 0;
  virtual void conv2d_maxpool_sigmoid_backward_filters(const Conv2dMaxpoolSigmoidShape& shape, const float* grad_output,
                                                       const float* output, const std::uint8_t* argmax,
                                                       const float* input, float* grad_filters) = 0;
  virtual void conv2d_maxpool_sigmoid_backward_bias(const Conv2dMaxpoolSigmoidShape& shape, const float* grad_output,
                                                    const float* output, float* grad_bias) = 0;
};

}  // namespace touchstone
