// SPDX-License-Identifier: Apache-2.0
//
// The executor that the others are checked against: gather, the plan's operations forward, the loss, the operations
// backward, the optimizer's step; one mini-batch at a time, everything in double precision. The losses and gradients of
// a mini-batch are means over its samples, however many it has.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "host/reference/executor_support.h"
#include "host/reference/network_pass.h"
#include "touchstone/accuracy.h"
#include "touchstone/error.h"
#include "touchstone/executor.h"
#include "touchstone/gather.h"
#include "touchstone/half_squared_error.h"
#include "touchstone/optimizer.h"
#include "touchstone/softmax_cross_entropy.h"

namespace touchstone {

namespace {

using Samples = std::span<const std::uint32_t>;

/// What one mini-batch gave.
struct BatchResult {
  Metrics metrics;
  std::vector<double> grad_logits;  // [batch, output_count], times the scale that was asked for
};

class ReferenceExecutor final : public Executor {
 public:
  explicit ReferenceExecutor(const ExecutorSettings& settings)
      : settings_(settings), pixel_scale_(settings.normalisation.pixel_scale()), pass_(settings.plan) {
    validate(settings_);
    const std::vector<double> zeros(static_cast<std::size_t>(settings_.plan.parameter_floats));
    state_.parameters = zeros;
    state_.optimizer_slots.assign(static_cast<std::size_t>(settings_.optimizer.slots()), zeros);
  }

  [[nodiscard]] std::string device() const override { return "reference"; }
  [[nodiscard]] bool double_precision() const override { return true; }

  void upload(Split split, SharedImageSet images) override { images_.upload(settings_.plan, split, std::move(images)); }

  [[nodiscard]] ExecutorState state() const override { return state_; }

  void set_state(const ExecutorState& state) override {
    validate(state, settings_);
    state_ = state;
  }

  Metrics train(const TrainingSteps& steps) override {
    validate(steps, settings_);
    const ImageSet& images = images_.holding(Split::training, steps.samples);
    Metrics total;
    for (std::size_t i = 0; i < steps.learning_rates.size(); ++i) {
      const auto index = static_cast<std::int64_t>(i);
      const Samples samples = batch_of(steps.samples, steps.batch_size, index);
      const std::int64_t step = steps.first_step + index;
      BatchResult result = run_forward(images, samples, 1.0 / static_cast<double>(samples.size()));
      if (!std::isfinite(result.metrics.loss_sum)) {
        result.metrics.first_non_finite_step = step;
      }
      total += result.metrics;
      if (total.first_non_finite_step >= 0) {
        break;
      }
      update(pass_.backward(state_.parameters, std::move(result.grad_logits)),
             {.learning_rate = steps.learning_rates[i], .step = step});
    }
    return total;
  }

  Metrics evaluate(Split split, Samples samples) override {
    const ImageSet& images = images_.holding(split, samples);
    Metrics total;
    for (std::int64_t i = 0; i < batch_count(samples.size(), settings_.batch_size); ++i) {
      total += run_forward(images, batch_of(samples, settings_.batch_size, i), 1.0).metrics;
    }
    return total;
  }

  std::vector<float> logits(Split split, Samples samples) override {
    return activations(split, samples, settings_.plan.operations.size());
  }

  std::vector<float> codes(Split split, Samples samples) override {
    return activations(split, samples, settings_.plan.code_operation);
  }

  std::vector<double> gradients(Samples samples) override {
    if (samples.empty()) {
      throw Error("gradients were asked for the mean loss over no samples; there must be at least 1");
    }
    const ImageSet& images = images_.holding(Split::training, samples);
    const double scale = 1.0 / static_cast<double>(samples.size());
    std::vector<double> total(state_.parameters.size());
    for (std::int64_t i = 0; i < batch_count(samples.size(), settings_.batch_size); ++i) {
      BatchResult result = run_forward(images, batch_of(samples, settings_.batch_size, i), scale);
      const std::vector<double> part = pass_.backward(state_.parameters, std::move(result.grad_logits));
      for (std::size_t p = 0; p < total.size(); ++p) {
        total[p] += part[p];
      }
    }
    return total;
  }

 private:
  /// Gathers a mini-batch into the pass and its labels into labels_.
  void load(const ImageSet& images, Samples samples) {
    const auto batch = static_cast<std::int64_t>(samples.size());
    labels_.resize(samples.size());
    reference::gather({.batch = batch, .image_size = settings_.plan.input_count}, images.pixels.data(),
                      images.labels.data(), samples.data(), pixel_scale_, pass_.begin(batch), labels_.data());
  }

  /// What operation `index` reads of each sample; beyond the last: the logits.
  std::vector<float> activations(Split split, Samples samples, std::size_t index) {
    const ImageSet& images = images_.holding(split, samples);
    std::vector<float> all;
    for (std::int64_t i = 0; i < batch_count(samples.size(), settings_.batch_size); ++i) {
      load(images, batch_of(samples, settings_.batch_size, i));
      pass_.forward(state_.parameters);
      for (const double value : pass_.input_of(index)) {
        all.push_back(static_cast<float>(value));
      }
    }
    return all;
  }

  /// A mini-batch's metrics, and `scale` times the gradient of the sum of its losses by the logits.
  BatchResult run_forward(const ImageSet& images, Samples samples, double scale) {
    load(images, samples);
    const std::vector<double>& logits = pass_.forward(state_.parameters);
    const auto batch = static_cast<std::int64_t>(samples.size());
    std::vector<double> losses(samples.size());
    BatchResult result{.metrics = {.count = batch}, .grad_logits = std::vector<double>(logits.size())};
    if (settings_.plan.loss == Loss::half_squared_error) {
      reference::half_squared_error({.batch = batch, .elements = settings_.plan.output_count}, logits.data(),
                                    pass_.input_of(0).data(), scale, losses.data(), result.grad_logits.data());
    } else {
      const SoftmaxCrossEntropyShape shape{.batch = batch, .classes = settings_.plan.classes};
      reference::softmax_cross_entropy(shape, logits.data(), labels_.data(), scale, losses.data(),
                                       result.grad_logits.data());
      result.metrics.correct = reference::accuracy(shape, logits.data(), labels_.data());
    }
    result.metrics.loss_sum = std::accumulate(losses.begin(), losses.end(), 0.0);
    return result;
  }

  void update(const std::vector<double>& gradients, const OptimizerStep& step) {
    double* parameters = state_.parameters.data();
    std::vector<std::vector<double>>& slots = state_.optimizer_slots;
    const OptimizerSettings& optimizer = settings_.optimizer;
    const std::int64_t count = settings_.plan.parameter_floats;
    switch (optimizer.kind) {
      case OptimizerKind::sgd:
        reference::sgd(count, optimizer, step, gradients.data(), parameters, slots[0].data());
        break;
      case OptimizerKind::adam:
        reference::adam(count, optimizer, step, gradients.data(), parameters, slots[0].data(), slots[1].data());
        break;
      case OptimizerKind::adamw:
        reference::adamw(count, optimizer, step, gradients.data(), parameters, slots[0].data(), slots[1].data());
        break;
    }
  }

  ExecutorSettings settings_;
  PixelScale pixel_scale_;
  UploadedImages images_;
  ExecutorState state_;
  std::vector<std::uint8_t> labels_;
  reference::NetworkPass pass_;
};

}  // namespace

std::unique_ptr<Executor> make_reference_executor(const ExecutorSettings& settings) {
  return std::make_unique<ReferenceExecutor>(settings);
}

}  // namespace touchstone
