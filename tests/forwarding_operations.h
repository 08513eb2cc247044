// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "touchstone/device_operations.h"

namespace touchstone::test {

/// A device that passes every call on to another: what a device with one deliberate mistake derives from.
class ForwardingOperations : public DeviceOperations {
 public:
  explicit ForwardingOperations(std::unique_ptr<DeviceOperations> right) : right_(std::move(right)) {}

  [[nodiscard]] std::string device() const override { return right_->device(); }
  [[nodiscard]] std::vector<std::string> variants() const override { return right_->variants(); }
  void select_variant(std::size_t index) override { right_->select_variant(index); }

  [[nodiscard]] GaussianOperations& gaussian() override { return right_->gaussian(); }

  void conv2d_forward(const Conv2dShape& shape, const float* input, const float* filters, const float* bias,
                      float* output) override {
    right_->conv2d_forward(shape, input, filters, bias, output);
  }
  void conv2d_backward_data(const Conv2dShape& shape, const float* grad_output, const float* filters,
                            float* grad_input) override {
    right_->conv2d_backward_data(shape, grad_output, filters, grad_input);
  }
  void conv2d_backward_filters(const Conv2dShape& shape, const float* grad_output, const float* input,
                               float* grad_filters) override {
    right_->conv2d_backward_filters(shape, grad_output, input, grad_filters);
  }
  void conv2d_backward_bias(const Conv2dShape& shape, const float* grad_output, float* grad_bias) override {
    right_->conv2d_backward_bias(shape, grad_output, grad_bias);
  }
  void sigmoid_forward(std::int64_t count, const float* input, float* output) override {
    right_->sigmoid_forward(count, input, output);
  }
  void sigmoid_backward(std::int64_t count, const float* grad_output, const float* output, float* grad_input) override {
    right_->sigmoid_backward(count, grad_output, output, grad_input);
  }
  void maxpool_forward(const MaxpoolShape& shape, const float* input, float* output, std::int32_t* argmax) override {
    right_->maxpool_forward(shape, input, output, argmax);
  }
  void maxpool_backward(const MaxpoolShape& shape, const float* grad_output, const std::int32_t* argmax,
                        float* grad_input) override {
    right_->maxpool_backward(shape, grad_output, argmax, grad_input);
  }
  void dense_forward(const DenseShape& shape, const float* input, const float* weights, const float* bias,
                     float* output) override {
    right_->dense_forward(shape, input, weights, bias, output);
  }
  void dense_backward_data(const DenseShape& shape, const float* grad_output, const float* weights,
                           float* grad_input) override {
    right_->dense_backward_data(shape, grad_output, weights, grad_input);
  }
  void dense_backward_weights(const DenseShape& shape, const float* grad_output, const float* input,
                              float* grad_weights) override {
    right_->dense_backward_weights(shape, grad_output, input, grad_weights);
  }
  void dense_backward_bias(const DenseShape& shape, const float* grad_output, float* grad_bias) override {
    right_->dense_backward_bias(shape, grad_output, grad_bias);
  }
  void softmax_cross_entropy(const SoftmaxCrossEntropyShape& shape, const float* logits, const std::uint8_t* labels,
                             float scale, float* losses, float* grad_logits) override {
    right_->softmax_cross_entropy(shape, logits, labels, scale, losses, grad_logits);
  }
  void half_squared_error(const HalfSquaredErrorShape& shape, const float* outputs, const float* targets, float scale,
                          float* losses, float* grad_outputs) override {
    right_->half_squared_error(shape, outputs, targets, scale, losses, grad_outputs);
  }
  std::int64_t accuracy(const SoftmaxCrossEntropyShape& shape, const float* logits,
                        const std::uint8_t* labels) override {
    return right_->accuracy(shape, logits, labels);
  }
  void sgd(std::int64_t count, const OptimizerSettings& settings, const OptimizerStep& step, const float* gradients,
           float* parameters, float* momentum_buffer) override {
    right_->sgd(count, settings, step, gradients, parameters, momentum_buffer);
  }
  void adam(std::int64_t count, const OptimizerSettings& settings, const OptimizerStep& step, const float* gradients,
            float* parameters, float* first_moment, float* second_moment) override {
    right_->adam(count, settings, step, gradients, parameters, first_moment, second_moment);
  }
  void adamw(std::int64_t count, const OptimizerSettings& settings, const OptimizerStep& step, const float* gradients,
             float* parameters, float* first_moment, float* second_moment) override {
    right_->adamw(count, settings, step, gradients, parameters, first_moment, second_moment);
  }
  void gather(const GatherShape& shape, std::int64_t count, const std::uint8_t* pixels, const std::uint8_t* labels,
              const std::uint32_t* indices, const PixelScale& scale, float* images,
              std::uint8_t* batch_labels) override {
    right_->gather(shape, count, pixels, labels, indices, scale, images, batch_labels);
  }
  std::vector<std::uint32_t> shuffle(std::uint64_t seed, RandomPurpose purpose, std::uint32_t epoch,
                                     std::uint32_t count) override {
    return right_->shuffle(seed, purpose, epoch, count);
  }

  [[nodiscard]] bool conv2d_maxpool_sigmoid_by_winograd(const Conv2dMaxpoolSigmoidShape& shape) const override {
    return right_->conv2d_maxpool_sigmoid_by_winograd(shape);
  }
  void conv2d_maxpool_sigmoid_forward(const Conv2dMaxpoolSigmoidShape& shape, const float* input, const float* filters,
                                      const float* bias, float* output, std::uint8_t* argmax) override {
    right_->conv2d_maxpool_sigmoid_forward(shape, input, filters, bias, output, argmax);
  }
  void conv2d_maxpool_sigmoid_backward_data(const Conv2dMaxpoolSigmoidShape& shape, const float* grad_output,
                                            const float* output, const std::uint8_t* argmax, const float* filters,
                                            float* grad_input) override {
    right_->conv2d_maxpool_sigmoid_backward_data(shape, grad_output, output, argmax, filters, grad_input);
  }
  void conv2d_maxpool_sigmoid_backward_filters(const Conv2dMaxpoolSigmoidShape& shape, const float* grad_output,
                                               const float* output, const std::uint8_t* argmax, const float* input,
                                               float* grad_filters) override {
    right_->conv2d_maxpool_sigmoid_backward_filters(shape, grad_output, output, argmax, input, grad_filters);
  }
  void conv2d_maxpool_sigmoid_backward_bias(const Conv2dMaxpoolSigmoidShape& shape, const float* grad_output,
                                            const float* output, float* grad_bias) override {
    right_->conv2d_maxpool_sigmoid_backward_bias(shape, grad_output, output, grad_bias);
  }

 protected:
  [[nodiscard]] DeviceOperations& right() { return *right_; }

 private:
  std::unique_ptr<DeviceOperations> right_;
};

}  // namespace touchstone::test
