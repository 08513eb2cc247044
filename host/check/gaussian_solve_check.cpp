// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "host/check/gaussian_inputs.h"
#include "host/check/operation_checks.h"

namespace touchstone::check {
namespace {

/// Each element as the formula gives it from the device's own elements before it: for integers that is exact, for reals
/// the bound is that of one row's sum (Higham, theorem 8.5).
class SolveTrial final : public Trial {
 public:
  SolveTrial(std::string name, const GaussianSolveShape& shape, GuardedArray<double> factor, GuardedArray<double> sides)
      : Trial(std::move(name)), shape_(shape), factor_(std::move(factor)), sides_(std::move(sides)) {}

  [[nodiscard]] Outputs run(DeviceOperations& device) const override {
    Outputs outputs;
    auto* solution = outputs.add<double>("solution", {shape_.gaussians, shape_.dimensions, shape_.columns});
    device.gaussian().solve(shape_, factor_.data(), sides_.data(), solution);
    return outputs;
  }

  [[nodiscard]] std::vector<Expected> expected(const Outputs& outputs,
                                               const DeviceOperations& /*device*/) const override {
    const auto& solution = std::get<GuardedArray<double>>(outputs[0].elements);
    Expected expected;
    const std::int64_t k = shape_.dimensions;
    for (std::int64_t i = 0; i < shape_.sides_count(); ++i) {
      const std::int64_t gaussian = i / shape_.columns / k;
      const std::int64_t r = i / shape_.columns % k;
      const double* const l = factor_.data() + (gaussian * k + r) * k;
      const double* const x = solution.data() + gaussian * k * shape_.columns + i % shape_.columns;
      long double value = sides_[i];
      long double magnitude = std::abs(value);
      for (std::int64_t t = 0; t < r; ++t) {
        const long double product = static_cast<long double>(l[t]) * x[t * shape_.columns];
        value -= product;
        magnitude += std::abs(product);
      }
      const long double bound = double_gamma(r + 1) * magnitude / std::abs(l[r]);
      value /= l[r];
      expected.values.push_back(static_cast<double>(value));
      expected.bounds.push_back(static_cast<double>(bound + 2 * double_roundoff * (std::abs(value) + bound)));
    }
    if (name() == "exact") expected.bounds.clear();
    return {expected};
  }

 private:
  GaussianSolveShape shape_;
  GuardedArray<double> factor_;
  GuardedArray<double> sides_;
};

}  // namespace

Case gaussian_solve_case(std::int64_t index, CaseRandom& random) {
  const auto [gaussians, label] = gaussian_shape(index, random);
  const GaussianSolveShape shape = {
      .gaussians = gaussians.gaussians, .dimensions = gaussians.dimensions, .columns = random.size(70)};
  Case result{fmt::format("{} M={}", label, shape.columns), {}};
  // A row takes off one other, so that solutions stay integers below 2^53 whatever the dimensions.
  result.trials.push_back(std::make_unique<SolveTrial>("exact", shape, integer_factors(gaussians, 1, true, random),
                                                       double_integers(shape.sides_count(), 9, random)));
  result.trials.push_back(std::make_unique<SolveTrial>("bounded", shape, real_factors(gaussians, random),
                                                       double_reals(shape.sides_count(), random)));
  return result;
}

}  // namespace touchstone::check
