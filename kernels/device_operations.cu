// SPDX-License-Identifier: Apache-2.0
//
// The single operations of a device, on host arrays, for checking: each tensor is an allocation of its own, outputs are
// poisoned first, and guard bands are looked at after each operation. A timer has the operation repeated on the same
// tensors.
#include <array>
#include <numeric>
#include <string>
#include <type_traits>
#include <vector>

#include "kernels/accuracy.h"
#include "kernels/conv2d.h"
#include "kernels/conv2d_maxpool_sigmoid.h"
#include "kernels/dense.h"
#include "kernels/device_call.h"
#include "kernels/devices.h"
#include "kernels/gather.h"
#include "kernels/half_squared_error.h"
#include "kernels/maxpool.h"
#include "kernels/optimizer.h"
#include "kernels/peaks.h"
#include "kernels/shuffle.h"
#include "kernels/sigmoid.h"
#include "kernels/softmax_cross_entropy.h"
#include "kernels/step.h"

#ifdef TOUCHSTONE_EMULATED
#include "emulation/device.h"
#endif

namespace touchstone::TOUCHSTONE_BACKEND {
namespace {

// The launchers, under whose names the class below has functions of its own.
namespace backend = ::touchstone::TOUCHSTONE_BACKEND;

class CudaOperations final : public DeviceOperations {
 public:
  explicit CudaOperations(const CudaOptions& options)
      : runner_(options.index, options.tf32), gaussian_(make_gaussian_operations(options)) {}

  [[nodiscard]] std::string device() const override { return runner_.device(); }

#ifdef TOUCHSTONE_EMULATED
  // The schedules, each with its filling of fresh memory.
  [[nodiscard]] std::vector<std::string> variants() const override {
    std::vector<std::string> names;
    for (const emulation::Options& options : emulation::standard_schedules) {
      names.push_back(std::string(to_string(options.schedule)) + ", memory filled with " +
                      std::string(to_string(options.fill)));
    }
    return names;
  }

  void select_variant(std::size_t index) override {
    emulation::Options options = emulation::options();
    options.schedule = emulation::standard_schedules.at(index).schedule;
    options.fill = emulation::standard_schedules.at(index).fill;
    emulation::configure(options);
  }
#endif

  [[nodiscard]] GaussianOperations& gaussian() override { return *gaussian_; }

  void copy(std::int64_t count, const float* source, float* target) override {
    run([&](Call& call, cudaStream_t stream) {
      backend::copy(count, call.input(source, count, "the source"), call.output(target, count, "the target"), stream);
    });
  }

  std::int64_t multiply_add(std::int64_t rounds) override { return count_multiply_adds<float>(rounds); }

  std::int64_t multiply_add_double(std::int64_t rounds) override { return count_multiply_adds<double>(rounds); }

  void conv2d_forward(const Conv2dShape& shape, const float* input, const float* filters, const float* bias,
                      float* output) override {
    run([&](Call& call, cudaStream_t stream) {
      backend::conv2d_forward(shape, call.input(input, shape.input_count(), "the input"),
                              call.input(filters, shape.filters_count(), "the filters"),
                              call.input(bias, shape.filters, "the bias"),
                              call.output(output, shape.output_count(), "the output"), stream);
    });
  }

  void conv2d_backward_data(const Conv2dShape& shape, const float* grad_output, const float* filters,
                            float* grad_input) override {
    run([&](Call& call, cudaStream_t stream) {
      backend::conv2d_backward_data(shape, call.input(grad_output, shape.output_count(), "the output's gradient"),
                                    call.input(filters, shape.filters_count(), "the filters"),
                                    call.output(grad_input, shape.input_count(), "the input's gradient"), stream);
    });
  }

  void conv2d_backward_filters(const Conv2dShape& shape, const float* grad_output, const float* input,
                               float* grad_filters) override {
    run([&](Call& call, cudaStream_t stream) {
      backend::conv2d_backward_filters(shape, call.input(grad_output, shape.output_count(), "the output's gradient"),
                                       call.input(input, shape.input_count(), "the input"),
                                       call.output(grad_filters, shape.filters_count(), "the filters' gradient"),
                                       call.workspace<float>(conv2d_backward_filters_workspace(shape)), stream);
    });
  }

  void conv2d_backward_bias(const Conv2dShape& shape, const float* grad_output, float* grad_bias) override {
    run([&](Call& call, cudaStream_t stream) {
      backend::conv2d_backward_bias(shape, call.input(grad_output, shape.output_count(), "the output's gradient"),
                                    call.output(grad_bias, shape.filters, "the bias's gradient"),
                                    call.workspace<float>(conv2d_backward_bias_workspace(shape)), stream);
    });
  }

  void sigmoid_forward(std::int64_t count, const float* input, float* output) override {
    run([&](Call& call, cudaStream_t stream) {
      backend::sigmoid_forward(count, call.input(input, count, "the input"), call.output(output, count, "the output"),
                               stream);
    });
  }

  void sigmoid_backward(std::int64_t count, const float* grad_output, const float* output, float* grad_input) override {
    run([&](Call& call, cudaStream_t stream) {
      backend::sigmoid_backward(count, call.input(grad_output, count, "the output's gradient"),
                                call.input(output, count, "the output"),
                                call.output(grad_input, count, "the input's gradient"), stream);
    });
  }

  void maxpool_forward(const MaxpoolShape& shape, const float* input, float* output, std::int32_t* argmax) override {
    run([&](Call& call, cudaStream_t stream) {
      backend::maxpool_forward(shape, call.input(input, shape.input_count(), "the input"),
                               call.output(output, shape.output_count(), "the output"),
                               call.output(argmax, shape.output_count(), "the argmax"), stream);
    });
  }

  void maxpool_backward(const MaxpoolShape& shape, const float* grad_output, const std::int32_t* argmax,
                        float* grad_input) override {
    run([&](Call& call, cudaStream_t stream) {
      backend::maxpool_backward(shape, call.input(grad_output, shape.output_count(), "the output's gradient"),
                                call.input(argmax, shape.output_count(), "the argmax"),
                                call.output(grad_input, shape.input_count(), "the input's gradient"), stream);
    });
  }

  void dense_forward(const DenseShape& shape, const float* input, const float* weights, const float* bias,
                     float* output) override {
    run([&](Call& call, cudaStream_t stream) {
      backend::dense_forward(shape, call.input(input, shape.input_count(), "the input"),
                             call.input(weights, shape.weights_count(), "the weights"),
                             call.input(bias, shape.out_features, "the bias"),
                             call.output(output, shape.output_count(), "the output"), runner_.blas(), stream);
    });
  }

  void dense_backward_data(const DenseShape& shape, const float* grad_output, const float* weights,
                           float* grad_input) override {
    run([&](Call& call, cudaStream_t /*stream*/) {
      backend::dense_backward_data(shape, call.input(grad_output, shape.output_count(), "the output's gradient"),
                                   call.input(weights, shape.weights_count(), "the weights"),
                                   call.output(grad_input, shape.input_count(), "the input's gradient"),
                                   runner_.blas());
    });
  }

  void dense_backward_weights(const DenseShape& shape, const float* grad_output, const float* input,
                              float* grad_weights) override {
    run([&](Call& call, cudaStream_t stream) {
      backend::dense_backward_weights(shape, call.input(grad_output, shape.output_count(), "the output's gradient"),
                                      call.input(input, shape.input_count(), "the input"), false,
                                      call.output(grad_weights, shape.weights_count(), "the weights' gradient"),
                                      runner_.blas(), stream);
    });
  }

  void dense_backward_bias(const DenseShape& shape, const float* grad_output, float* grad_bias) override {
    run([&](Call& call, cudaStream_t stream) {
      backend::dense_backward_bias(shape, call.input(grad_output, shape.output_count(), "the output's gradient"),
                                   call.output(grad_bias, shape.out_features, "the bias's gradient"), stream);
    });
  }

  void softmax_cross_entropy(const SoftmaxCrossEntropyShape& shape, const float* logits, const std::uint8_t* labels,
                             float scale, float* losses, float* grad_logits) override {
    run([&](Call& call, cudaStream_t stream) {
      backend::softmax_cross_entropy(shape, call.input(logits, shape.count(), "the logits"),
                                     call.input(labels, shape.batch, "the labels"), scale,
                                     call.output(losses, shape.batch, "the losses"),
                                     call.output(grad_logits, shape.count(), "the logits' gradient"), nullptr, stream);
    });
  }

  void half_squared_error(const HalfSquaredErrorShape& shape, const float* outputs, const float* targets, float scale,
                          float* losses, float* grad_outputs) override {
    run([&](Call& call, cudaStream_t stream) {
      backend::half_squared_error(shape, call.input(outputs, shape.count(), "the outputs"),
                                  call.input(targets, shape.count(), "the targets"), scale,
                                  call.output(losses, shape.batch, "the losses"),
                                  call.output(grad_outputs, shape.count(), "the outputs' gradient"), nullptr, stream);
    });
  }

  std::int64_t accuracy(const SoftmaxCrossEntropyShape& shape, const float* logits,
                        const std::uint8_t* labels) override {
    std::vector<std::uint8_t> correct(static_cast<std::size_t>(shape.batch));
    run([&](Call& call, cudaStream_t stream) {
      backend::accuracy(shape, call.input(logits, shape.count(), "the logits"),
                        call.input(labels, shape.batch, "the labels"),
                        call.output(correct.data(), shape.batch, "which rows are right"), nullptr, stream);
    });
    return std::accumulate(correct.begin(), correct.end(), std::int64_t{0});
  }

  void sgd(std::int64_t count, const OptimizerSettings& settings, const OptimizerStep& step, const float* gradients,
           float* parameters, float* momentum_buffer) override {
    const StepRecord record = make_step_record(settings, step);
    run([&](Call& call, cudaStream_t stream) {
      backend::sgd(count, settings, call.input(&record, 1, "the step"), nullptr,
                   call.input(gradients, count, "the gradients"), call.in_place(parameters, count, "the parameters"),
                   call.in_place(momentum_buffer, count, "the momentum buffer"), stream);
    });
  }

  void adam(std::int64_t count, const OptimizerSettings& settings, const OptimizerStep& step, const float* gradients,
            float* parameters, float* first_moment, float* second_moment) override {
    run_adam(backend::adam, count, settings, step, gradients, parameters, first_moment, second_moment);
  }

  void adamw(std::int64_t count, const OptimizerSettings& settings, const OptimizerStep& step, const float* gradients,
             float* parameters, float* first_moment, float* second_moment) override {
    run_adam(backend::adamw, count, settings, step, gradients, parameters, first_moment, second_moment);
  }

  void gather(const GatherShape& shape, std::int64_t count, const std::uint8_t* pixels, const std::uint8_t* labels,
              const std::uint32_t* indices, const PixelScale& scale, float* images,
              std::uint8_t* batch_labels) override {
    run([&](Call& call, cudaStream_t stream) {
      backend::gather(shape, call.input(pixels, count * shape.image_size, "the pixels"),
                      call.input(labels, count, "the labels"), call.input(indices, shape.batch, "the indices"), scale,
                      call.output(images, shape.batch * shape.image_size, "the images"),
                      call.output(batch_labels, shape.batch, "the batch's labels"), nullptr, stream);
    });
  }

  std::vector<std::uint32_t> shuffle(std::uint64_t seed, RandomPurpose purpose, std::uint32_t epoch,
                                     std::uint32_t count) override {
    std::vector<std::uint32_t> order(count);
    run([&](Call& call, cudaStream_t stream) {
      std::uint32_t* tensor = call.output(order.data(), count, "the order");
      if (count > 0) {
        backend::shuffle(seed, purpose, epoch, count, tensor, call.allocator(), stream);
      }
    });
    return order;
  }

  void conv2d_maxpool_sigmoid_forward(const Conv2dMaxpoolSigmoidShape& shape, const float* input, const float* filters,
                                      const float* bias, float* output, std::uint8_t* argmax) override {
    run([&](Call& call, cudaStream_t stream) {
      backend::conv2d_maxpool_sigmoid_forward(shape, call.input(input, shape.input_count(), "the input"),
                                              call.input(filters, shape.filters_count(), "the filters"),
                                              call.input(bias, shape.conv2d.filters, "the bias"),
                                              call.output(output, shape.output_count(), "the output"),
                                              call.output(argmax, shape.output_count(), "the argmax"), stream);
    });
  }

  void conv2d_maxpool_sigmoid_backward_data(const Conv2dMaxpoolSigmoidShape& shape, const float* grad_output,
                                            const float* output, const std::uint8_t* argmax, const float* filters,
                                            float* grad_input) override {
    run([&](Call& call, cudaStream_t stream) {
      backend::conv2d_maxpool_sigmoid_backward_data(
          shape, call.input(grad_output, shape.output_count(), "the output's gradient"),
          call.input(output, shape.output_count(), "the output"),
          call.input(argmax, shape.output_count(), "the argmax"),
          call.input(filters, shape.filters_count(), "the filters"),
          call.output(grad_input, shape.input_count(), "the input's gradient"), stream);
    });
  }

  void conv2d_maxpool_sigmoid_backward_filters(const Conv2dMaxpoolSigmoidShape& shape, const float* grad_output,
                                               const float* output, const std::uint8_t* argmax, const float* input,
                                               float* grad_filters) override {
    run([&](Call& call, cudaStream_t stream) {
      backend::conv2d_maxpool_sigmoid_backward_filters(
          shape, call.input(grad_output, shape.output_count(), "the output's gradient"),
          call.input(output, shape.output_count(), "the output"),
          call.input(argmax, shape.output_count(), "the argmax"), call.input(input, shape.input_count(), "the input"),
          call.output(grad_filters, shape.filters_count(), "the filters' gradient"),
          call.workspace<float>(conv2d_maxpool_sigmoid_backward_filters_workspace(shape)), stream);
    });
  }

  void conv2d_maxpool_sigmoid_backward_bias(const Conv2dMaxpoolSigmoidShape& shape, const float* grad_output,
                                            const float* output, float* grad_bias) override {
    run([&](Call& call, cudaStream_t stream) {
      backend::conv2d_maxpool_sigmoid_backward_bias(
          shape, call.input(grad_output, shape.output_count(), "the output's gradient"),
          call.input(output, shape.output_count(), "the output"),
          call.output(grad_bias, shape.conv2d.filters, "the bias's gradient"),
          call.workspace<float>(conv2d_maxpool_sigmoid_backward_bias_workspace(shape)), stream);
    });
  }

 private:
  using AdamFunction = decltype(backend::adam);

  template <class Operation>
  void run(const Operation& operation) {
    runner_.run(operation, timer());
  }

  template <class Number>
  std::int64_t count_multiply_adds(std::int64_t rounds) {
    std::int64_t multiply_adds = 0;
    run([&](Call& call, cudaStream_t stream) {
      multiply_adds = backend::multiply_add(rounds, call.workspace<Number>(multiply_add_workspace()), stream);
    });
    return multiply_adds;
  }

  void run_adam(AdamFunction* rule, std::int64_t count, const OptimizerSettings& settings, const OptimizerStep& step,
                const float* gradients, float* parameters, float* first_moment, float* second_moment) {
    const StepRecord record = make_step_record(settings, step);
    run([&](Call& call, cudaStream_t stream) {
      rule(count, settings, call.input(&record, 1, "the step"), nullptr, call.input(gradients, count, "the gradients"),
           call.in_place(parameters, count, "the parameters"), call.in_place(first_moment, count, "the first moment"),
           call.in_place(second_moment, count, "the second moment"), stream);
    });
  }

  CallRunner runner_;
  std::unique_ptr<GaussianOperations> gaussian_;
};

}  // namespace

std::unique_ptr<DeviceOperations> make_device_operations(const CudaOptions& options) {
  return std::make_unique<CudaOperations>(options);
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
