// SPDX-License-Identifier: Apache-2.0
#include "host/check/reference_operations.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "touchstone/accuracy.h"
#include "touchstone/conv2d.h"
#include "touchstone/dense.h"
#include "touchstone/gather.h"
#include "touchstone/gaussian_operations.h"
#include "touchstone/half_squared_error.h"
#include "touchstone/maxpool.h"
#include "touchstone/optimizer.h"
#include "touchstone/random.h"
#include "touchstone/sigmoid.h"
#include "touchstone/softmax_cross_entropy.h"

namespace touchstone::check {
namespace {

/// A float32 array as doubles.
std::vector<double> widen(const float* values, std::int64_t count) { return {values, values + count}; }

/// Doubles for the reference to write or change, rounded into a float32 array when the call is over.
class Narrowed {
 public:
  Narrowed(float* target, std::int64_t count) : target_(target), values_(widen(target, count)) {}
  Narrowed(const Narrowed&) = delete;
  Narrowed& operator=(const Narrowed&) = delete;
  ~Narrowed() {
    std::transform(values_.begin(), values_.end(), target_, [](double value) { return static_cast<float>(value); });
  }

  // NOLINTNEXTLINE(google-explicit-constructor): stands in for the pointer that the reference takes.
  operator double*() { return values_.data(); }

 private:
  float* target_;
  std::vector<double> values_;
};

class ReferenceOperations final : public DeviceOperations {
 public:
  [[nodiscard]] std::string device() const override { return "reference"; }

  [[nodiscard]] GaussianOperations& gaussian() override { return *gaussian_; }

  void conv2d_forward(const Conv2dShape& shape, const float* input, const float* filters, const float* bias,
                      float* output) override {
    run_by_clock([&] {
      reference::conv2d_forward(shape, widen(input, shape.input_count()).data(),
                                widen(filters, shape.filters_count()).data(), widen(bias, shape.filters).data(),
                                Narrowed(output, shape.output_count()));
    });
  }

  void conv2d_backward_data(const Conv2dShape& shape, const float* grad_output, const float* filters,
                            float* grad_input) override {
    run_by_clock([&] {
      reference::conv2d_backward_data(shape, widen(grad_output, shape.output_count()).data(),
                                      widen(filters, shape.filters_count()).data(),
                                      Narrowed(grad_input, shape.input_count()));
    });
  }

  void conv2d_backward_filters(const Conv2dShape& shape, const float* grad_output, const float* input,
                               float* grad_filters) override {
    run_by_clock([&] {
      reference::conv2d_backward_filters(shape, widen(grad_output, shape.output_count()).data(),
                                         widen(input, shape.input_count()).data(),
                                         Narrowed(grad_filters, shape.filters_count()));
    });
  }

  void conv2d_backward_bias(const Conv2dShape& shape, const float* grad_output, float* grad_bias) override {
    run_by_clock([&] {
      reference::conv2d_backward_bias(shape, widen(grad_output, shape.output_count()).data(),
                                      Narrowed(grad_bias, shape.filters));
    });
  }

  void sigmoid_forward(std::int64_t count, const float* input, float* output) override {
    run_by_clock([&] { reference::sigmoid_forward(count, widen(input, count).data(), Narrowed(output, count)); });
  }

  void sigmoid_backward(std::int64_t count, const float* grad_output, const float* output, float* grad_input) override {
    run_by_clock([&] {
      reference::sigmoid_backward(count, widen(grad_output, count).data(), widen(output, count).data(),
                                  Narrowed(grad_input, count));
    });
  }

  void maxpool_forward(const MaxpoolShape& shape, const float* input, float* output, std::int32_t* argmax) override {
    run_by_clock([&] {
      reference::maxpool_forward(shape, widen(input, shape.input_count()).data(),
                                 Narrowed(output, shape.output_count()), argmax);
    });
  }

  void maxpool_backward(const MaxpoolShape& shape, const float* grad_output, const std::int32_t* argmax,
                        float* grad_input) override {
    run_by_clock([&] {
      reference::maxpool_backward(shape, widen(grad_output, shape.output_count()).data(), argmax,
                                  Narrowed(grad_input, shape.input_count()));
    });
  }

  void dense_forward(const DenseShape& shape, const float* input, const float* weights, const float* bias,
                     float* output) override {
    run_by_clock([&] {
      reference::dense_forward(shape, widen(input, shape.input_count()).data(),
                               widen(weights, shape.weights_count()).data(), widen(bias, shape.out_features).data(),
                               Narrowed(output, shape.output_count()));
    });
  }

  void dense_backward_data(const DenseShape& shape, const float* grad_output, const float* weights,
                           float* grad_input) override {
    run_by_clock([&] {
      reference::dense_backward_data(shape, widen(grad_output, shape.output_count()).data(),
                                     widen(weights, shape.weights_count()).data(),
                                     Narrowed(grad_input, shape.input_count()));
    });
  }

  void dense_backward_weights(const DenseShape& shape, const float* grad_output, const float* input,
                              float* grad_weights) override {
    run_by_clock([&] {
      reference::dense_backward_weights(shape, widen(grad_output, shape.output_count()).data(),
                                        widen(input, shape.input_count()).data(),
                                        Narrowed(grad_weights, shape.weights_count()));
    });
  }

  void dense_backward_bias(const DenseShape& shape, const float* grad_output, float* grad_bias) override {
    run_by_clock([&] {
      reference::dense_backward_bias(shape, widen(grad_output, shape.output_count()).data(),
                                     Narrowed(grad_bias, shape.out_features));
    });
  }

  void softmax_cross_entropy(const SoftmaxCrossEntropyShape& shape, const float* logits, const std::uint8_t* labels,
                             float scale, float* losses, float* grad_logits) override {
    run_by_clock([&] {
      reference::softmax_cross_entropy(shape, widen(logits, shape.count()).data(), labels, scale,
                                       Narrowed(losses, shape.batch), Narrowed(grad_logits, shape.count()));
    });
  }

  void half_squared_error(const HalfSquaredErrorShape& shape, const float* outputs, const float* targets, float scale,
                          float* losses, float* grad_outputs) override {
    run_by_clock([&] {
      reference::half_squared_error(shape, widen(outputs, shape.count()).data(), widen(targets, shape.count()).data(),
                                    scale, Narrowed(losses, shape.batch), Narrowed(grad_outputs, shape.count()));
    });
  }

  std::int64_t accuracy(const SoftmaxCrossEntropyShape& shape, const float* logits,
                        const std::uint8_t* labels) override {
    std::int64_t correct = 0;
    run_by_clock([&] { correct = reference::accuracy(shape, widen(logits, shape.count()).data(), labels); });
    return correct;
  }

  void sgd(std::int64_t count, const OptimizerSettings& settings, const OptimizerStep& step, const float* gradients,
           float* parameters, float* momentum_buffer) override {
    run_by_clock([&] {
      reference::sgd(count, settings, step, widen(gradients, count).data(), Narrowed(parameters, count),
                     Narrowed(momentum_buffer, count));
    });
  }

  void adam(std::int64_t count, const OptimizerSettings& settings, const OptimizerStep& step, const float* gradients,
            float* parameters, float* first_moment, float* second_moment) override {
    run_by_clock([&] {
      reference::adam(count, settings, step, widen(gradients, count).data(), Narrowed(parameters, count),
                      Narrowed(first_moment, count), Narrowed(second_moment, count));
    });
  }

  void adamw(std::int64_t count, const OptimizerSettings& settings, const OptimizerStep& step, const float* gradients,
             float* parameters, float* first_moment, float* second_moment) override {
    run_by_clock([&] {
      reference::adamw(count, settings, step, widen(gradients, count).data(), Narrowed(parameters, count),
                       Narrowed(first_moment, count), Narrowed(second_moment, count));
    });
  }

  void gather(const GatherShape& shape, std::int64_t /*count*/, const std::uint8_t* pixels, const std::uint8_t* labels,
              const std::uint32_t* indices, const PixelScale& scale, float* images,
              std::uint8_t* batch_labels) override {
    run_by_clock([&] {
      reference::gather(shape, pixels, labels, indices, scale, Narrowed(images, shape.batch * shape.image_size),
                        batch_labels);
    });
  }

  std::vector<std::uint32_t> shuffle(std::uint64_t seed, RandomPurpose purpose, std::uint32_t epoch,
                                     std::uint32_t count) override {
    std::vector<std::uint32_t> order;
    run_by_clock([&] { order = shuffled_order(seed, purpose, epoch, count); });
    return order;
  }

  void conv2d_maxpool_sigmoid_forward(const Conv2dMaxpoolSigmoidShape& shape, const float* input, const float* filters,
                                      const float* bias, float* output, std::uint8_t* argmax) override {
    run_by_clock([&] {
      reference::conv2d_maxpool_sigmoid_forward(
          shape, widen(input, shape.input_count()).data(), widen(filters, shape.filters_count()).data(),
          widen(bias, shape.conv2d.filters).data(), Narrowed(output, shape.output_count()), argmax);
    });
  }

  void conv2d_maxpool_sigmoid_backward_data(const Conv2dMaxpoolSigmoidShape& shape, const float* grad_output,
                                            const float* output, const std::uint8_t* argmax, const float* filters,
                                            float* grad_input) override {
    run_by_clock([&] {
      reference::conv2d_maxpool_sigmoid_backward_data(
          shape, widen(grad_output, shape.output_count()).data(), widen(output, shape.output_count()).data(), argmax,
          widen(filters, shape.filters_count()).data(), Narrowed(grad_input, shape.input_count()));
    });
  }

  void conv2d_maxpool_sigmoid_backward_filters(const Conv2dMaxpoolSigmoidShape& shape, const float* grad_output,
                                               const float* output, const std::uint8_t* argmax, const float* input,
                                               float* grad_filters) override {
    run_by_clock([&] {
      reference::conv2d_maxpool_sigmoid_backward_filters(
          shape, widen(grad_output, shape.output_count()).data(), widen(output, shape.output_count()).data(), argmax,
          widen(input, shape.input_count()).data(), Narrowed(grad_filters, shape.filters_count()));
    });
  }

  void conv2d_maxpool_sigmoid_backward_bias(const Conv2dMaxpoolSigmoidShape& shape, const float* grad_output,
                                            const float* output, float* grad_bias) override {
    run_by_clock([&] {
      reference::conv2d_maxpool_sigmoid_backward_bias(shape, widen(grad_output, shape.output_count()).data(),
                                                      widen(output, shape.output_count()).data(),
                                                      Narrowed(grad_bias, shape.conv2d.filters));
    });
  }

 private:
  std::unique_ptr<GaussianOperations> gaussian_ = reference::make_gaussian_operations();
};

}  // namespace

std::unique_ptr<DeviceOperations> make_reference_operations() { return std::make_unique<ReferenceOperations>(); }

}  // namespace touchstone::check
