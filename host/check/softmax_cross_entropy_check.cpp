// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "host/check/operation_checks.h"
#include "host/check/rounded_softmax.h"
#include "host/check/shapes.h"
#include "touchstone/softmax_cross_entropy.h"

namespace touchstone::check {
namespace {

/// One mini-batch: logits, labels and the scale of the gradient.
struct Batch {
  SoftmaxCrossEntropyShape shape;
  GuardedArray<float> logits;
  GuardedArray<std::uint8_t> labels;
  float scale = 1;
};

void call(DeviceOperations& device, const Batch& batch, const GuardedArray<float>& logits, Outputs& outputs) {
  float* losses = outputs.add<float>("losses", {batch.shape.batch});
  float* grad_logits = outputs.add<float>("grad_logits", {batch.shape.batch, batch.shape.classes});
  device.softmax_cross_entropy(batch.shape, logits.data(), batch.labels.data(), batch.scale, losses, grad_logits);
}

/// Bounded by the roundings of its formula: see rounded_softmax.h.
class SoftmaxBounded : public Trial {
 public:
  SoftmaxBounded(std::string name, Batch batch) : Trial(std::move(name)), batch_(std::move(batch)) {}

  [[nodiscard]] Outputs run(DeviceOperations& device) const override {
    Outputs outputs;
    call(device, batch_, batch_.logits, outputs);
    return outputs;
  }

  [[nodiscard]] std::vector<Expected> expected(const Outputs& /*outputs*/,
                                               const DeviceOperations& /*device*/) const override {
    const SoftmaxCrossEntropyShape& shape = batch_.shape;
    Expected losses{std::vector<double>(static_cast<std::size_t>(shape.batch)), {}};
    Expected grad_logits{std::vector<double>(static_cast<std::size_t>(shape.count())), {}};
    reference::softmax_cross_entropy(shape, to_double(batch_.logits).data(), batch_.labels.data(), batch_.scale,
                                     losses.values.data(), grad_logits.values.data());
    std::vector<Rounded> row(static_cast<std::size_t>(shape.classes));
    for (std::int64_t n = 0; n < shape.batch; ++n) {
      std::transform(batch_.logits.data() + n * shape.classes, batch_.logits.data() + (n + 1) * shape.classes,
                     row.begin(), [](float logit) { return Rounded::exact(logit); });
      const RoundedLoss bound = check::softmax_cross_entropy(row, batch_.labels[n], Rounded::exact(batch_.scale));
      losses.bounds.push_back(bound.loss.error);
      for (const Rounded& gradient : bound.grad_logits) grad_logits.bounds.push_back(gradient.error);
    }
    return {std::move(losses), std::move(grad_logits)};
  }

 protected:
  [[nodiscard]] const Batch& batch() const { return batch_; }

 private:
  Batch batch_;
};

/// A property that needs no reference: integer logits that are all shifted by one integer keep every bit of loss and
/// gradient, as the difference from the largest is exact.
class SoftmaxShift final : public SoftmaxBounded {
 public:
  SoftmaxShift(Batch batch, float shift)
      : SoftmaxBounded("integers and a shift", std::move(batch)), shifted_(this->batch().logits) {
    for (float& logit : shifted_.values()) logit += shift;
  }

  [[nodiscard]] Outputs run(DeviceOperations& device) const override {
    Outputs outputs = SoftmaxBounded::run(device);
    call(device, batch(), shifted_, outputs);
    return outputs;
  }

  [[nodiscard]] std::vector<Expected> expected(const Outputs& outputs, const DeviceOperations& device) const override {
    std::vector<Expected> once = SoftmaxBounded::expected(outputs, device);
    std::vector<Expected> twice = once;
    twice.insert(twice.end(), once.begin(), once.end());
    return twice;
  }

  [[nodiscard]] std::string violation(const Outputs& outputs) const override {
    using Floats = GuardedArray<float>;
    for (const std::size_t i : {std::size_t{0}, std::size_t{1}}) {
      if (!std::get<Floats>(outputs[i].elements).same_bits(std::get<Floats>(outputs[i + 2].elements))) {
        return outputs[i].name + " change when all logits are shifted by one integer";
      }
    }
    return {};
  }

 private:
  GuardedArray<float> shifted_;
};

Batch make_batch(const SoftmaxCrossEntropyShape& shape, GuardedArray<float> logits, CaseRandom& random) {
  Batch batch{shape, std::move(logits), random.bytes(shape.batch, shape.classes)};
  batch.scale = random.one_in(2) ? 1.0F / static_cast<float>(std::max<std::int64_t>(shape.batch, 1)) : 1.0F;
  return batch;
}

/// Logits as an early network gives them, or so far apart that exponentials underflow, or enormous.
GuardedArray<float> scaled_logits(std::int64_t count, CaseRandom& random) {
  const float scale = random.pick({0.01F, 1.0F, 1.0F, 30.0F, 1e4F, 1e30F});
  GuardedArray<float> logits = random.reals(count);
  for (float& logit : logits.values()) logit *= scale;
  return logits;
}

}  // namespace

Case softmax_cross_entropy_case(std::int64_t index, CaseRandom& random) {
  const auto [shape, label] = softmax_shape(index, random);
  Case result{label, {}};
  Batch reals = make_batch(shape, scaled_logits(shape.count(), random), random);
  result.trials.push_back(std::make_unique<SoftmaxBounded>("reals", std::move(reals)));
  Batch integers = make_batch(shape, random.integers(shape.count(), 20), random);
  const auto shift = static_cast<float>(random.between(-100, 100));
  result.trials.push_back(std::make_unique<SoftmaxShift>(std::move(integers), shift));
  return result;
}

}  // namespace touchstone::check
