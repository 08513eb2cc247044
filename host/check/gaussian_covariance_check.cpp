// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include <fmt/format.h>

#include "host/check/gaussian_inputs.h"
#include "host/check/operation_checks.h"

namespace touchstone::check {
namespace {

class CovarianceTrial : public Trial {
 public:
  CovarianceTrial(std::string name, GaussianSamples samples, CovarianceDivisor divisor, GuardedArray<double> values)
      : Trial(std::move(name)), samples_(std::move(samples)), divisor_(divisor), values_(std::move(values)) {}

  [[nodiscard]] Outputs run(DeviceOperations& device) const override {
    const GaussianShape shape = samples_.shape();
    Outputs outputs;
    auto* mean = outputs.add<double>("mean", {shape.gaussians, shape.dimensions});
    auto* covariance = outputs.add<double>("covariance", {shape.gaussians, shape.dimensions, shape.dimensions});
    device.gaussian().covariance(samples_, divisor_, values_.data(), mean, covariance);
    return outputs;
  }

 protected:
  [[nodiscard]] const GaussianSamples& samples() const { return samples_; }
  [[nodiscard]] CovarianceDivisor divisor() const { return divisor_; }
  [[nodiscard]] const double* values() const { return values_.data(); }

 private:
  GaussianSamples samples_;
  CovarianceDivisor divisor_;
  GuardedArray<double> values_;
};

/// Integers whose mean and divisor are exact.
class ExactCovariance final : public CovarianceTrial {
 public:
  using CovarianceTrial::CovarianceTrial;

  [[nodiscard]] std::vector<Expected> expected(const Outputs& /*outputs*/,
                                               const DeviceOperations& /*device*/) const override {
    const GaussianShape shape = samples().shape();
    std::vector<double> mean(static_cast<std::size_t>(shape.means_count()));
    std::vector<double> covariance(static_cast<std::size_t>(shape.matrices_count()));
    reference::gaussian_covariance(samples(), divisor(), values(), mean.data(), covariance.data());
    return {{mean, {}}, {covariance, {}}};
  }
};

/// A sum or mean, and how far double precision may lead from it.
struct Bounded {
  long double value = 0;
  long double bound = 0;
};

void append(Expected& expected, const Bounded& element) {
  expected.values.push_back(static_cast<double>(element.value));
  expected.bounds.push_back(
      static_cast<double>(element.bound + double_roundoff * std::abs(element.value)));  // of the line above
}

class BoundedCovariance final : public CovarianceTrial {
 public:
  using CovarianceTrial::CovarianceTrial;

  [[nodiscard]] std::vector<Expected> expected(const Outputs& /*outputs*/,
                                               const DeviceOperations& /*device*/) const override {
    std::vector<Expected> all(2);
    for (std::int64_t gaussian = 0; gaussian < samples().gaussians(); ++gaussian) {
      std::vector<Bounded> means;
      for (std::int64_t k = 0; k < samples().dimensions; ++k) means.push_back(mean_of(gaussian, k));
      for (const Bounded& mean : means) append(all[0], mean);
      for (std::int64_t i = 0; i < samples().dimensions * samples().dimensions; ++i) {
        append(all[1], covariance_of(gaussian, i / samples().dimensions, i % samples().dimensions, means));
      }
    }
    return all;
  }

 private:
  [[nodiscard]] long double value(std::int64_t n, std::int64_t k) const {
    return values()[n * samples().dimensions + k];
  }

  /// n - 1 sums and a quotient.
  [[nodiscard]] Bounded mean_of(std::int64_t gaussian, std::int64_t k) const {
    const auto size = static_cast<long double>(samples().size(gaussian));
    Bounded mean;
    for (std::int64_t n = samples().begin(gaussian); n < samples().begin(gaussian + 1); ++n) {
      mean.value += value(n, k) / size;
      mean.bound += std::abs(value(n, k)) / size;
    }
    mean.bound *= double_gamma(samples().size(gaussian));
    return mean;
  }

  /// x - mean, where the mean has its error and the difference a rounding.
  [[nodiscard]] Bounded deviation(std::int64_t n, std::int64_t k, const Bounded& mean) const {
    const long double exact = value(n, k) - mean.value;
    return {exact, mean.bound + double_roundoff * (std::abs(exact) + mean.bound)};
  }

  /// n products, n sums and a quotient, of deviations with their errors.
  [[nodiscard]] Bounded covariance_of(std::int64_t gaussian, std::int64_t k, std::int64_t l,
                                      const std::vector<Bounded>& means) const {
    const auto divided = static_cast<long double>(divisor_of(divisor(), samples().size(gaussian)));
    Bounded sum;
    long double magnitude = 0;
    for (std::int64_t n = samples().begin(gaussian); n < samples().begin(gaussian + 1); ++n) {
      const Bounded left = deviation(n, k, means[static_cast<std::size_t>(k)]);
      const Bounded right = deviation(n, l, means[static_cast<std::size_t>(l)]);
      sum.value += left.value * right.value;
      sum.bound += std::abs(left.value) * right.bound + std::abs(right.value) * left.bound + left.bound * right.bound;
      magnitude += (std::abs(left.value) + left.bound) * (std::abs(right.value) + right.bound);
    }
    sum.bound += double_gamma(samples().size(gaussian) + 2) * magnitude;
    return {sum.value / divided, sum.bound / divided};
  }
};

/// Sizes that are a power of two plus `more`, so that `power + more` samples can be divided by exactly.
GaussianSamples exact_sizes(const GaussianShape& shape, std::int64_t more, CaseRandom& random) {
  GaussianSamples samples{.offsets = {0}, .dimensions = shape.dimensions};
  for (std::int64_t c = 0; c < shape.gaussians; ++c) {
    samples.offsets.push_back(samples.offsets.back() + random.pick({2, 4, 8, 16, 32}) + more);
  }
  return samples;
}

/// Changes the last sample of each Gaussian so that its samples add up to zero.
void balance(const GaussianSamples& samples, GuardedArray<double>& values) {
  const std::int64_t k = samples.dimensions;
  for (std::int64_t place = 0; place < samples.gaussians() * k; ++place) {
    const std::int64_t last = samples.begin(place / k + 1) - 1;
    double sum = 0;
    for (std::int64_t n = samples.begin(place / k); n < last; ++n) sum += values[n * k + place % k];
    values[last * k + place % k] = -sum;
  }
}

}  // namespace

Case gaussian_covariance_case(std::int64_t index, CaseRandom& random) {
  const auto [shape, label] = gaussian_shape(index, random);
  Case result{label, {}};
  const GaussianSamples powers = exact_sizes(shape, 0, random);
  result.trials.push_back(std::make_unique<ExactCovariance>("exact", powers, CovarianceDivisor::maximum_likelihood,
                                                            double_integers(powers.samples_count(), 7, random)));
  const GaussianSamples above = exact_sizes(shape, 1, random);
  GuardedArray<double> values = double_integers(above.samples_count(), 7, random);
  balance(above, values);
  result.trials.push_back(
      std::make_unique<ExactCovariance>("exact, unbiased", above, CovarianceDivisor::unbiased, std::move(values)));

  GaussianSamples any{.offsets = {0}, .dimensions = shape.dimensions};
  for (std::int64_t c = 0; c < shape.gaussians; ++c) any.offsets.push_back(any.offsets.back() + random.between(2, 50));
  result.trials.push_back(std::make_unique<BoundedCovariance>("bounded", any, CovarianceDivisor::unbiased,
                                                              double_reals(any.samples_count(), random)));
  return result;
}

}  // namespace touchstone::check
