// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "host/check/operation_checks.h"
#include "host/check/rounded_half_squared_error.h"
#include "host/check/shapes.h"
#include "touchstone/half_squared_error.h"

namespace touchstone::check {
namespace {

/// Outputs and targets up to this, as integers: a row's squares then add up to at most 1000 * 40^2 < 2^24, so that each
/// partial sum is a float32, half of it too, and so is each difference times a power of two.
constexpr std::int64_t exact_magnitude = 20;

/// One mini-batch: outputs, targets and the scale of the gradient.
struct Batch {
  HalfSquaredErrorShape shape;
  GuardedArray<float> outputs;
  GuardedArray<float> targets;
  float scale = 1;
};

/// Exact for integers; else bounded by the roundings of its formula: see rounded_half_squared_error.h.
class HalfSquaredErrorTrial final : public Trial {
 public:
  HalfSquaredErrorTrial(bool exact, Batch batch)
      : Trial(exact ? "exact" : "bounded"), exact_(exact), batch_(std::move(batch)) {}

  [[nodiscard]] Outputs run(DeviceOperations& device) const override {
    Outputs outputs;
    float* losses = outputs.add<float>("losses", {batch_.shape.batch});
    float* gradient = outputs.add<float>("grad_outputs", {batch_.shape.batch, batch_.shape.elements});
    device.half_squared_error(batch_.shape, batch_.outputs.data(), batch_.targets.data(), batch_.scale, losses,
                              gradient);
    return outputs;
  }

  [[nodiscard]] std::vector<Expected> expected(const Outputs& /*outputs*/,
                                               const DeviceOperations& /*device*/) const override {
    const HalfSquaredErrorShape& shape = batch_.shape;
    Expected losses{std::vector<double>(static_cast<std::size_t>(shape.batch)), {}};
    Expected gradient{std::vector<double>(static_cast<std::size_t>(shape.count())), {}};
    reference::half_squared_error(shape, to_double(batch_.outputs).data(), to_double(batch_.targets).data(),
                                  batch_.scale, losses.values.data(), gradient.values.data());
    if (!exact_) add_bounds(losses.bounds, gradient.bounds);
    return {std::move(losses), std::move(gradient)};
  }

 private:
  void add_bounds(std::vector<double>& losses, std::vector<double>& gradient) const {
    for (std::int64_t n = 0; n < batch_.shape.batch; ++n) {
      const RoundedSquaredError bound =
          check::half_squared_error(row(batch_.outputs, n), row(batch_.targets, n), Rounded::exact(batch_.scale));
      losses.push_back(bound.loss.error);
      for (const Rounded& element : bound.grad_outputs) gradient.push_back(element.error);
    }
  }

  [[nodiscard]] std::vector<Rounded> row(const GuardedArray<float>& values, std::int64_t n) const {
    std::vector<Rounded> result;
    for (std::int64_t i = n * batch_.shape.elements; i < (n + 1) * batch_.shape.elements; ++i) {
      result.push_back(Rounded::exact(values.data()[i]));
    }
    return result;
  }

  bool exact_;
  Batch batch_;
};

}  // namespace

Case half_squared_error_case(std::int64_t index, CaseRandom& random) {
  const auto [shape, label] = half_squared_error_shape(index, random);
  Case result{label, {}};
  const std::int64_t count = shape.count();
  Batch integers{shape, random.integers(count, exact_magnitude), random.integers(count, exact_magnitude), 0.125F};
  result.trials.push_back(std::make_unique<HalfSquaredErrorTrial>(true, std::move(integers)));
  Batch reals{shape, random.reals(count), random.reals(count), random.one_in(2) ? 1.0F : 1.0F / 3.0F};
  result.trials.push_back(std::make_unique<HalfSquaredErrorTrial>(false, std::move(reals)));
  return result;
}

}  // namespace touchstone::check
