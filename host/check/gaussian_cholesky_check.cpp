// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <utility>

#include "host/check/gaussian_inputs.h"
#include "host/check/operation_checks.h"

namespace touchstone::check {
namespace {

class CholeskyTrial : public Trial {
 public:
  CholeskyTrial(std::string name, const GaussianShape& shape, GuardedArray<double> covariance)
      : Trial(std::move(name)), shape_(shape), covariance_(std::move(covariance)) {}

  [[nodiscard]] Outputs run(DeviceOperations& device) const override {
    Outputs outputs;
    auto* factor = outputs.add<double>("factor", {shape_.gaussians, shape_.dimensions, shape_.dimensions});
    auto* failures = outputs.add<std::int32_t>("failures", {shape_.gaussians});
    device.gaussian().cholesky(shape_, covariance_.data(), factor, failures);
    return outputs;
  }

 protected:
  [[nodiscard]] const GaussianShape& shape() const { return shape_; }
  [[nodiscard]] const GuardedArray<double>& covariance() const { return covariance_; }

 private:
  GaussianShape shape_;
  GuardedArray<double> covariance_;
};

/// Products of factors with few significant bits: every step is exact. Some of the matrices may have been spoilt.
class ExactCholesky final : public CholeskyTrial {
 public:
  ExactCholesky(std::string name, const GaussianShape& shape, GuardedArray<double> covariance,
                const GuardedArray<double>& factor, std::vector<double> failures)
      : CholeskyTrial(std::move(name), shape, std::move(covariance)),
        factor_(factor.values().begin(), factor.values().end()),
        failures_(std::move(failures)) {}

  [[nodiscard]] std::vector<Expected> expected(const Outputs& /*outputs*/,
                                               const DeviceOperations& /*device*/) const override {
    return {{factor_, {}}, {failures_, {}}};
  }

 private:
  std::vector<double> factor_;
  std::vector<double> failures_;
};

/// Each element as the formula gives it from the device's own elements before it: the componentwise backward error
/// (Higham, theorem 10.3), which needs no condition of the matrix.
class BoundedCholesky final : public CholeskyTrial {
 public:
  using CholeskyTrial::CholeskyTrial;

  [[nodiscard]] std::vector<Expected> expected(const Outputs& outputs,
                                               const DeviceOperations& /*device*/) const override {
    const auto& factor = std::get<GuardedArray<double>>(outputs[0].elements);
    std::vector<Expected> all(2);
    for (std::int64_t i = 0; i < shape().matrices_count(); ++i) append(i, factor, all[0]);
    all[1].values.assign(static_cast<std::size_t>(shape().gaussians), 0.0);
    return all;
  }

 private:
  void append(std::int64_t i, const GuardedArray<double>& factor, Expected& expected) const {
    const std::int64_t k = shape().dimensions;
    const double* const l = factor.data() + i / k / k * k * k;
    const std::int64_t r = i / k % k;
    const std::int64_t c = i % k;
    long double value = c > r ? 0.0L : covariance()[i];
    long double magnitude = std::abs(value);
    for (std::int64_t t = 0; t < c && c <= r; ++t) {
      const long double product = static_cast<long double>(l[r * k + t]) * l[c * k + t];
      value -= product;
      magnitude += std::abs(product);
    }
    // c products, c differences; then a root, which halves a relative error, or a quotient.
    const long double divisor = r == c ? std::sqrt(value) : static_cast<long double>(l[c * k + c]);
    if (c <= r) value = r == c ? divisor : value / divisor;
    const long double bound = c > r ? 0.0L : double_gamma(c + 1) * magnitude / divisor;
    expected.values.push_back(static_cast<double>(value));
    expected.bounds.push_back(static_cast<double>(bound + 2 * double_roundoff * (std::abs(value) + bound)));
  }
};

/// Makes a pivot of some of the matrices zero, negative or NaN; returns the failures, and clears those factors.
std::vector<double> spoil(const GaussianShape& shape, GuardedArray<double>& covariance, GuardedArray<double>& factor,
                          CaseRandom& random) {
  std::vector<double> failures;
  const std::int64_t k = shape.dimensions;
  for (std::int64_t gaussian = 0; gaussian < shape.gaussians; ++gaussian) {
    failures.push_back(0);
    if (gaussian > 0 && random.one_in(3)) continue;
    const std::int64_t pivot = random.between(0, k - 1);
    double* const l = factor.data() + gaussian * k * k;
    const double root = l[pivot * (k + 1)];
    double& diagonal = covariance[gaussian * k * k + pivot * (k + 1)];
    diagonal -= root * root + random.pick({0.0, 1.0, std::numeric_limits<double>::quiet_NaN()});
    std::fill(l, l + k * k, 0.0);
    failures.back() = static_cast<double>(pivot + 1);
  }
  return failures;
}

}  // namespace

Case gaussian_cholesky_case(std::int64_t index, CaseRandom& random) {
  const auto [shape, label] = gaussian_shape(index, random);
  Case result{label, {}};
  GuardedArray<double> factor = integer_factors(shape, 4, false, random);
  GuardedArray<double> covariance = products_of(shape, factor);
  const std::vector<double> none(static_cast<std::size_t>(shape.gaussians), 0.0);
  result.trials.push_back(std::make_unique<ExactCholesky>("exact", shape, covariance, factor, none));
  const std::vector<double> failures = spoil(shape, covariance, factor, random);
  result.trials.push_back(std::make_unique<ExactCholesky>("failing", shape, covariance, factor, failures));
  result.trials.push_back(
      std::make_unique<BoundedCholesky>("bounded", shape, products_of(shape, real_factors(shape, random))));
  return result;
}

}  // namespace touchstone::check
