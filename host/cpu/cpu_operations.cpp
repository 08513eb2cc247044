// SPDX-License-Identifier: Apache-2.0
#include "host/cpu/cpu_operations.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "host/cpu/gaussian_operations.h"
#include "host/cpu/peaks.h"
#include "host/cpu/winograd.h"
#include "host/cpu/workspace.h"
#include "touchstone/accuracy.h"
#include "touchstone/sigmoid.h"

namespace touchstone {

namespace {

class CpuOperations final : public DeviceOperations {
 public:
  explicit CpuOperations(int gaussian_threads) : gaussian_(cpu::make_gaussian_operations(gaussian_threads)) {}

  [[nodiscard]] std::string device() const override { return "cpu"; }

  [[nodiscard]] GaussianOperations& gaussian() override { return *gaussian_; }

  void copy(std::int64_t count, const float* source, float* target) override {
    run_by_clock([&] { cpu::copy(count, source, target); });
  }
  std::int64_t multiply_add(std::int64_t rounds) override {
    std::int64_t multiply_adds = 0;
    run_by_clock([&] { multiply_adds = cpu::multiply_add(rounds); });
    return multiply_adds;
  }
  std::int64_t multiply_add_double(std::int64_t rounds) override {
    std::int64_t multiply_adds = 0;
    run_by_clock([&] { multiply_adds = cpu::multiply_add_double(rounds); });
    return multiply_adds;
  }

  void conv2d_forward(const Conv2dShape& shape, const float* input, const float* filters, const float* bias,
                      float* output) override {
    run_by_clock([&] { cpu::conv2d_forward(shape, input, filters, bias, output, workspace_); });
  }
  void conv2d_backward_data(const Conv2dShape& shape, const float* grad_output, const float* filters,
                            float* grad_input) override {
    run_by_clock([&] { cpu::conv2d_backward_data(shape, grad_output, filters, grad_input, workspace_); });
  }
  void conv2d_backward_filters(const Conv2dShape& shape, const float* grad_output, const float* input,
                               float* grad_filters) override {
    run_by_clock([&] { cpu::conv2d_backward_filters(shape, grad_output, input, grad_filters, workspace_); });
  }
  void conv2d_backward_bias(const Conv2dShape& shape, const float* grad_output, float* grad_bias) override {
    run_by_clock([&] { cpu::conv2d_backward_bias(shape, grad_output, grad_bias, workspace_); });
  }

  void sigmoid_forward(std::int64_t count, const float* input, float* output) override {
    run_by_clock([&] { cpu::sigmoid_forward(count, input, output); });
  }
  void sigmoid_backward(std::int64_t count, const float* grad_output, const float* output, float* grad_input) override {
    run_by_clock([&] { cpu::sigmoid_backward(count, grad_output, output, grad_input); });
  }

  void maxpool_forward(const MaxpoolShape& shape, const float* input, float* output, std::int32_t* argmax) override {
    run_by_clock([&] { cpu::maxpool_forward(shape, input, output, argmax); });
  }
  void maxpool_backward(const MaxpoolShape& shape, const float* grad_output, const std::int32_t* argmax,
                        float* grad_input) override {
    run_by_clock([&] { cpu::maxpool_backward(shape, grad_output, argmax, grad_input); });
  }

  void dense_forward(const DenseShape& shape, const float* input, const float* weights, const float* bias,
                     float* output) override {
    run_by_clock([&] { cpu::dense_forward(shape, input, weights, bias, output, workspace_); });
  }
  void dense_backward_data(const DenseShape& shape, const float* grad_output, const float* weights,
                           float* grad_input) override {
    run_by_clock([&] { cpu::dense_backward_data(shape, grad_output, weights, grad_input, workspace_); });
  }
  void dense_backward_weights(const DenseShape& shape, const float* grad_output, const float* input,
                              float* grad_weights) override {
    run_by_clock([&] { cpu::dense_backward_weights(shape, grad_output, input, grad_weights, workspace_); });
  }
  void dense_backward_bias(const DenseShape& shape, const float* grad_output, float* grad_bias) override {
    run_by_clock([&] { cpu::dense_backward_bias(shape, grad_output, grad_bias, workspace_); });
  }

  void softmax_cross_entropy(const SoftmaxCrossEntropyShape& shape, const float* logits, const std::uint8_t* labels,
                             float scale, float* losses, float* grad_logits) override {
    run_by_clock([&] { cpu::softmax_cross_entropy(shape, logits, labels, scale, losses, grad_logits); });
  }
  void half_squared_error(const HalfSquaredErrorShape& shape, const float* outputs, const float* targets, float scale,
                          float* losses, float* grad_outputs) override {
    run_by_clock([&] { cpu::half_squared_error(shape, outputs, targets, scale, losses, grad_outputs); });
  }
  std::int64_t accuracy(const SoftmaxCrossEntropyShape& shape, const float* logits,
                        const std::uint8_t* labels) override {
    std::int64_t correct = 0;
    run_by_clock([&] { correct = cpu::accuracy(shape, logits, labels); });
    return correct;
  }

  void sgd(std::int64_t count, const OptimizerSettings& settings, const OptimizerStep& step, const float* gradients,
           float* parameters, float* momentum_buffer) override {
    run_by_clock([&] { cpu::sgd(count, settings, step, gradients, parameters, momentum_buffer); });
  }
  void adam(std::int64_t count, const OptimizerSettings& settings, const OptimizerStep& step, const float* gradients,
            float* parameters, float* first_moment, float* second_moment) override {
    run_by_clock([&] { cpu::adam(count, settings, step, gradients, parameters, first_moment, second_moment); });
  }
  void adamw(std::int64_t count, const OptimizerSettings& settings, const OptimizerStep& step, const float* gradients,
             float* parameters, float* first_moment, float* second_moment) override {
    run_by_clock([&] { cpu::adamw(count, settings, step, gradients, parameters, first_moment, second_moment); });
  }

  void gather(const GatherShape& shape, std::int64_t /*count*/, const std::uint8_t* pixels, const std::uint8_t* labels,
              const std::uint32_t* indices, const PixelScale& scale, float* images,
              std::uint8_t* batch_labels) override {
    run_by_clock([&] { cpu::gather(shape, pixels, labels, indices, scale, images, batch_labels); });
  }
  std::vector<std::uint32_t> shuffle(std::uint64_t seed, RandomPurpose purpose, std::uint32_t epoch,
                                     std::uint32_t count) override {
    std::vector<std::uint32_t> order;
    run_by_clock([&] { order = shuffled_order(seed, purpose, epoch, count); });
    return order;
  }

  [[nodiscard]] bool conv2d_maxpool_sigmoid_by_winograd(const Conv2dMaxpoolSigmoidShape& shape) const override {
    return cpu::uses_winograd(shape);
  }
  void conv2d_maxpool_sigmoid_forward(const Conv2dMaxpoolSigmoidShape& shape, const float* input, const float* filters,
                                      const float* bias, float* output, std::uint8_t* argmax) override {
    run_by_clock([&] { cpu::conv2d_maxpool_sigmoid_forward(shape, input, filters, bias, output, argmax, workspace_); });
  }
  void conv2d_maxpool_sigmoid_backward_data(const Conv2dMaxpoolSigmoidShape& shape, const float* grad_output,
                                            const float* output, const std::uint8_t* argmax, const float* filters,
                                            float* grad_input) override {
    run_by_clock([&] {
      cpu::conv2d_maxpool_sigmoid_backward_data(shape, grad_output, output, argmax, filters, grad_input, workspace_);
    });
  }
  void conv2d_maxpool_sigmoid_backward_filters(const Conv2dMaxpoolSigmoidShape& shape, const float* grad_output,
                                               const float* output, const std::uint8_t* argmax, const float* input,
                                               float* grad_filters) override {
    run_by_clock([&] {
      cpu::conv2d_maxpool_sigmoid_backward_filters(shape, grad_output, output, argmax, input, grad_filters, workspace_);
    });
  }
  void conv2d_maxpool_sigmoid_backward_bias(const Conv2dMaxpoolSigmoidShape& shape, const float* grad_output,
                                            const float* output, float* grad_bias) override {
    run_by_clock([&] { cpu::conv2d_maxpool_sigmoid_backward_bias(shape, grad_output, output, grad_bias, workspace_); });
  }

 private:
  cpu::Workspace workspace_;
  std::unique_ptr<GaussianOperations> gaussian_;
};

}  // namespace

std::unique_ptr<DeviceOperations> make_cpu_operations(int gaussian_threads) {
  return std::make_unique<CpuOperations>(gaussian_threads);
}

}  // namespace touchstone
