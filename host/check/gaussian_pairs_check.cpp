// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "host/check/gaussian_inputs.h"
#include "host/check/operation_checks.h"

namespace touchstone::check {
namespace {

/// A number and how far double precision may lead from it.
struct Bounded {
  long double value = 0;
  long double error = 0;
};

/// d - ln(1 + d) for |d| < 1/4 by its power series, d^2/2 - d^3/3 + ..., from the smallest term on: a difference of the
/// two would cancel. 40 terms reach 2^-80 of the first.
long double power_series(long double d) {
  long double sum = 0;
  for (int n = 40; n >= 2; --n) sum = 1.0L / n - d * sum;
  return d * d * sum;
}

/// The diagonal's term f = (l/m)^2 - 1 - 2 ln(l/m) of two positive numbers. Near one, d has two roundings, which f'
/// passes on, and what follows loses less than 8 roundings of f, for both of its parts are positive. Elsewhere the
/// quotient q has one rounding: q^2 has 3, 2 ln q has 2 from q and 4 |ln q| from the function, and the two differences
/// have one each.
Bounded diagonal_term(long double l, long double m) {
  constexpr long double surely_near = 0.2499L;
  const long double d = (l - m) / m;
  if (std::abs(d) < surely_near) {
    const long double value = d * d + 2 * power_series(d);
    const long double slope = std::abs(2 * d + 2 * d / (1 + d));
    return {value, double_roundoff * (slope * 2 * std::abs(d) + 8 * value)};
  }
  const long double q = l / m;
  return {q * q - 1 - 2 * std::log(q), double_roundoff * (5 * q * q + 4 + 7 * std::abs(std::log(q)))};
}

/// One pair in long double, with the error of double precision carried through the substitution (running error
/// analysis, Higham, section 3.3).
class PairSum {
 public:
  PairSum(std::int64_t dimensions, const double* mean_p, const double* factor_p, const double* mean_q,
          const double* factor_q)
      : dimensions_(dimensions), mean_p_(mean_p), factor_p_(factor_p), mean_q_(mean_q), factor_q_(factor_q) {}

  [[nodiscard]] Bounded divergence() const {
    Bounded sum;
    for (std::int64_t c = 0; c <= dimensions_; ++c) add_column(c, sum);
    for (std::int64_t k = 0; k < dimensions_; ++k) {
      const std::int64_t place = k * (dimensions_ + 1);
      const Bounded term = diagonal_term(factor_p_[place], factor_q_[place]);
      sum.value += term.value;
      sum.error += term.error;
    }
    const std::int64_t terms = dimensions_ * (dimensions_ + 3) / 2 + dimensions_;
    sum.error += double_gamma(terms) * (sum.value + sum.error);
    return {sum.value / 2, sum.error / 2};
  }

 private:
  /// Adds the squares of a column of Y below its diagonal, or of z.
  void add_column(std::int64_t c, Bounded& sum) const {
    std::vector<Bounded> solved;  // from row `first` on
    const std::int64_t first = c == dimensions_ ? 0 : c;
    for (std::int64_t r = first; r < dimensions_; ++r) {
      const double* const l = factor_q_ + r * dimensions_;
      const long double side = right_side(r, c);
      Bounded y = {side, double_roundoff * std::abs(side)};
      long double magnitude = std::abs(side) + y.error;
      for (std::size_t t = 0; t < solved.size(); ++t) {
        const long double factor = l[first + static_cast<std::int64_t>(t)];
        y.value -= factor * solved[t].value;
        y.error += std::abs(factor) * solved[t].error;
        magnitude += std::abs(factor) * (std::abs(solved[t].value) + solved[t].error);
      }
      y.error += double_gamma(static_cast<std::int64_t>(solved.size()) + 1) * magnitude;
      y = {y.value / l[r], y.error / l[r]};
      y.error += double_roundoff * (std::abs(y.value) + y.error);
      solved.push_back(y);
      if (r == c) continue;
      sum.value += y.value * y.value;
      const long double largest = std::abs(y.value) + y.error;
      sum.error += (2 * std::abs(y.value) + y.error) * y.error + double_roundoff * largest * largest;
    }
  }

  [[nodiscard]] long double right_side(std::int64_t r, std::int64_t c) const {
    if (c == dimensions_) return static_cast<long double>(mean_p_[r]) - mean_q_[r];
    const std::int64_t place = r * dimensions_ + c;
    return static_cast<long double>(factor_p_[place]) - factor_q_[place];
  }

  std::int64_t dimensions_;
  const double* mean_p_;
  const double* factor_p_;
  const double* mean_q_;
  const double* factor_q_;
};

class PairsTrial final : public Trial {
 public:
  PairsTrial(std::string name, const GaussianShape& shape, GuardedArray<double> mean, GuardedArray<double> factor)
      : Trial(std::move(name)), shape_(shape), mean_(std::move(mean)), factor_(std::move(factor)) {}

  [[nodiscard]] Outputs run(DeviceOperations& device) const override {
    Outputs outputs;
    auto* divergence = outputs.add<double>("divergence", {shape_.gaussians, shape_.gaussians});
    device.gaussian().pairs(shape_, mean_.data(), factor_.data(), divergence);
    return outputs;
  }

  [[nodiscard]] std::vector<Expected> expected(const Outputs& /*outputs*/,
                                               const DeviceOperations& /*device*/) const override {
    Expected expected;
    const std::int64_t k = shape_.dimensions;
    for (std::int64_t pair = 0; pair < shape_.pairs_count(); ++pair) {
      const std::int64_t p = pair / shape_.gaussians;
      const std::int64_t q = pair % shape_.gaussians;
      const Bounded sum =
          PairSum(k, mean_.data() + p * k, factor_.data() + p * k * k, mean_.data() + q * k, factor_.data() + q * k * k)
              .divergence();
      expected.values.push_back(static_cast<double>(sum.value));
      expected.bounds.push_back(static_cast<double>(sum.error + double_roundoff * sum.value));
    }
    if (name() == "exact") expected.bounds.clear();
    return {expected};
  }

 private:
  GaussianShape shape_;
  GuardedArray<double> mean_;
  GuardedArray<double> factor_;
};

/// Gaussian 1 becomes equal to 0, and 2 nearly so.
void bring_together(const GaussianShape& shape, GuardedArray<double>& mean, GuardedArray<double>& factor) {
  constexpr double near = 1 + 0x1p-20;
  const std::int64_t k = shape.dimensions;
  for (std::int64_t other = 1; other < std::min<std::int64_t>(shape.gaussians, 3); ++other) {
    const double scale = other == 1 ? 1 : near;
    for (std::int64_t i = 0; i < k; ++i) mean[other * k + i] = mean[i] * scale;
    for (std::int64_t i = 0; i < k * k; ++i) factor[other * k * k + i] = factor[i] * scale;
  }
}

}  // namespace

Case gaussian_pairs_case(std::int64_t index, CaseRandom& random) {
  const auto [shape, label] = gaussian_shape(index, random);
  Case result{label, {}};
  result.trials.push_back(std::make_unique<PairsTrial>("exact", shape, double_integers(shape.means_count(), 9, random),
                                                       integer_factors(shape, 1, true, random)));
  GuardedArray<double> mean = double_reals(shape.means_count(), random);
  GuardedArray<double> factor = real_factors(shape, random);
  result.trials.push_back(std::make_unique<PairsTrial>("bounded", shape, mean, factor));
  bring_together(shape, mean, factor);
  result.trials.push_back(std::make_unique<PairsTrial>("close", shape, std::move(mean), std::move(factor)));
  return result;
}

}  // namespace touchstone::check
