// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "host/check/operation_checks.h"
#include "host/check/shapes.h"
#include "touchstone/accuracy.h"

namespace touchstone::check {
namespace {

/// Accuracy counts: the number must be equal.
class AccuracyTrial final : public Trial {
 public:
  AccuracyTrial(std::string name, const SoftmaxCrossEntropyShape& shape, GuardedArray<float> logits, CaseRandom& random)
      : Trial(std::move(name)), shape_(shape), logits_(std::move(logits)), labels_(draw_labels(random)) {}

  [[nodiscard]] Outputs run(DeviceOperations& device) const override {
    Outputs outputs;
    *outputs.add<std::int64_t>("correct", {}) = device.accuracy(shape_, logits_.data(), labels_.data());
    return outputs;
  }

  [[nodiscard]] std::vector<Expected> expected(const Outputs& /*outputs*/,
                                               const DeviceOperations& /*device*/) const override {
    const auto correct = reference::accuracy(shape_, to_double(logits_).data(), labels_.data());
    return {{{static_cast<double>(correct)}, {}}};
  }

 private:
  /// Half of the labels are classes with the largest logit, though not always the first of them.
  GuardedArray<std::uint8_t> draw_labels(CaseRandom& random) const {
    GuardedArray<std::uint8_t> labels = random.bytes(shape_.batch, shape_.classes);
    for (std::int64_t n = 0; n < shape_.batch; ++n) {
      const float* row = logits_.data() + n * shape_.classes;
      const bool from_the_back = random.one_in(2);
      if (random.one_in(2)) {
        std::int64_t best = 0;
        for (std::int64_t i = 1; i < shape_.classes; ++i) {
          if (row[i] > row[best] || (from_the_back && row[i] == row[best])) best = i;
        }
        labels[n] = static_cast<std::uint8_t>(best);
      }
    }
    return labels;
  }

  SoftmaxCrossEntropyShape shape_;
  GuardedArray<float> logits_;
  GuardedArray<std::uint8_t> labels_;
};

}  // namespace

Case accuracy_case(std::int64_t index, CaseRandom& random) {
  const auto [shape, label] = softmax_shape(index, random);
  Case result{label, {}};
  GuardedArray<float> ties = random.integers(shape.count(), 2);
  result.trials.push_back(std::make_unique<AccuracyTrial>("ties", shape, std::move(ties), random));
  GuardedArray<float> reals = random.reals(shape.count());
  result.trials.push_back(std::make_unique<AccuracyTrial>("reals", shape, std::move(reals), random));
  return result;
}

}  // namespace touchstone::check
