// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstddef>

#include <fmt/format.h>

#include "touchstone/error.h"
#include "touchstone/gaussian.h"

namespace touchstone {
namespace {

constexpr const char* remedy = "or use shrinkage (--shrinkage auto)";

void require_finite(const GaussianSamples& samples, const std::vector<double>& values,
                    const std::vector<std::string>& names) {
  const auto bad = std::find_if(values.begin(), values.end(), [](double value) { return !std::isfinite(value); });
  if (bad == values.end()) return;
  const std::int64_t place = bad - values.begin();
  const std::int64_t row = place / samples.dimensions;
  std::int64_t gaussian = 0;
  while (samples.begin(gaussian + 1) <= row) ++gaussian;
  throw Error(fmt::format("{}: dimension {} of sample {} is {}; expected finite numbers: repair or remove that sample",
                          names[static_cast<std::size_t>(gaussian)], place % samples.dimensions,
                          row - samples.begin(gaussian), *bad));
}

void require_enough(const GaussianSamples& samples, const Shrinkage& shrinkage, const std::vector<std::string>& names) {
  const bool shrunk = shrinkage.kind != Shrinkage::Kind::none;
  const std::int64_t least = shrunk ? 2 : samples.dimensions + 1;
  for (std::int64_t gaussian = 0; gaussian < samples.gaussians(); ++gaussian) {
    if (samples.size(gaussian) >= least) continue;
    throw Error(fmt::format("{}: {} samples of {} dimensions; expected at least {}: give more samples{}",
                            names[static_cast<std::size_t>(gaussian)], samples.size(gaussian), samples.dimensions,
                            least, shrunk ? "" : fmt::format(", fewer dimensions, {}", remedy)));
  }
}

/// One Gaussian's part of the arrays.
struct Part {
  std::int64_t samples;
  std::int64_t dimensions;
  const double* values;  // [N,K]
  const double* mean;    // [K]
  double* covariance;    // [K,K]
  CovarianceDivisor divisor;

  [[nodiscard]] double variance(std::int64_t k) const { return covariance[k * dimensions + k]; }
  [[nodiscard]] double mean_variance() const {
    double sum = 0;
    for (std::int64_t k = 0; k < dimensions; ++k) sum += variance(k);
    return sum / static_cast<double>(dimensions);
  }
};

double automatic_amount(const Part& part) {
  std::vector<double> likeliest(part.covariance, part.covariance + part.dimensions * part.dimensions);
  const double scale = divisor_of(part.divisor, part.samples) / static_cast<double>(part.samples);
  for (double& element : likeliest) element *= scale;
  return ledoit_wolf_shrinkage(part.samples, part.dimensions, part.values, part.mean, likeliest.data());
}

/// Shrinks the covariance and returns the amount.
double shrink(const Part& part, const Shrinkage& shrinkage) {
  if (shrinkage.kind == Shrinkage::Kind::none) return 0;
  const double amount = shrinkage.kind == Shrinkage::Kind::fixed ? shrinkage.amount : automatic_amount(part);
  const double target = part.mean_variance();
  for (std::int64_t r = 0; r < part.dimensions; ++r) {
    for (std::int64_t c = 0; c < part.dimensions; ++c) {
      double& element = part.covariance[r * part.dimensions + c];
      element = (1 - amount) * element + (r == c ? amount * target : 0.0);
    }
  }
  return amount;
}

/// Says why a sample covariance has no factor.
[[noreturn]] void throw_not_definite(const Part& part, std::int32_t failure, const std::string& name) {
  std::int64_t constant = 0;
  std::int64_t first = -1;
  for (std::int64_t k = part.dimensions - 1; k >= 0; --k) {
    if (part.variance(k) > 0) continue;
    ++constant;
    first = k;
  }
  if (constant == part.dimensions) {
    throw Error(fmt::format("{}: all samples are equal (zero variance); expected samples that vary", name));
  }
  if (constant > 0) {
    throw Error(fmt::format("{}: dimension {} is constant (zero variance){}; leave {} out, {}", name, first,
                            constant == 1 ? "" : fmt::format(", as are {} more of {}", constant - 1, part.dimensions),
                            constant == 1 ? "it" : "them", remedy));
  }
  const std::vector<double> matrix(part.covariance, part.covariance + part.dimensions * part.dimensions);
  throw Error(fmt::format(
      "{}: the covariance is not positive definite, for dimension {} depends on those before it ({}); leave it out, {}",
      name, failure - 1, describe_smallest_eigenvalue(part.dimensions, matrix), remedy));
}

}  // namespace

double ledoit_wolf_shrinkage(std::int64_t samples, std::int64_t dimensions, const double* values, const double* mean,
                             const double* maximum_likelihood_covariance) {
  const auto n = static_cast<double>(samples);
  const auto k = static_cast<double>(dimensions);
  double trace = 0;
  double square = 0;  // |S|^2
  for (std::int64_t r = 0; r < dimensions; ++r) {
    const double* row = maximum_likelihood_covariance + r * dimensions;
    trace += row[r];
    for (std::int64_t c = 0; c < dimensions; ++c) square += row[c] * row[c];
  }
  double fourth = 0;  // the mean of |x - mean|^4
  for (std::int64_t i = 0; i < samples; ++i) {
    double distance = 0;
    for (std::int64_t c = 0; c < dimensions; ++c) {
      const double difference = values[i * dimensions + c] - mean[c];
      distance += difference * difference;
    }
    fourth += distance * distance / n;
  }
  const double mu = trace / k;
  const double delta = (square - k * mu * mu) / k;
  const double beta = (fourth - square) / (n * k);
  return delta > 0 ? std::clamp(beta / delta, 0.0, 1.0) : 0.0;
}

FittedGaussians fit_gaussians(GaussianOperations& operations, const GaussianSamples& samples,
                              const std::vector<double>& values, const GaussianFitSettings& settings,
                              const std::vector<std::string>& names) {
  require_enough(samples, settings.shrinkage, names);
  require_finite(samples, values, names);
  FittedGaussians fitted;
  fitted.shape = samples.shape();
  fitted.mean.resize(static_cast<std::size_t>(fitted.shape.means_count()));
  fitted.covariance.resize(static_cast<std::size_t>(fitted.shape.matrices_count()));
  fitted.factor.resize(fitted.covariance.size());
  operations.covariance(samples, settings.divisor, values.data(), fitted.mean.data(), fitted.covariance.data());

  const std::int64_t dimensions = samples.dimensions;
  const auto part = [&](std::int64_t gaussian) {
    return Part{.samples = samples.size(gaussian),
                .dimensions = dimensions,
                .values = values.data() + samples.begin(gaussian) * dimensions,
                .mean = fitted.mean.data() + gaussian * dimensions,
                .covariance = fitted.covariance.data() + gaussian * dimensions * dimensions,
                .divisor = settings.divisor};
  };
  for (std::int64_t gaussian = 0; gaussian < samples.gaussians(); ++gaussian) {
    fitted.shrinkage.push_back(shrink(part(gaussian), settings.shrinkage));
  }
  std::vector<std::int32_t> failures(static_cast<std::size_t>(samples.gaussians()));
  operations.cholesky(fitted.shape, fitted.covariance.data(), fitted.factor.data(), failures.data());
  for (std::size_t gaussian = 0; gaussian < failures.size(); ++gaussian) {
    if (failures[gaussian] == 0) continue;
    throw_not_definite(part(static_cast<std::int64_t>(gaussian)), failures[gaussian], names[gaussian]);
  }
  return fitted;
}

Gaussian fit_gaussian(const std::vector<double>& values, std::int64_t dimensions, const GaussianFitSettings& settings,
                      const std::string& name) {
  GaussianSamples samples;
  samples.dimensions = dimensions;
  samples.offsets = {0, static_cast<std::int64_t>(values.size()) / dimensions};
  const auto operations = reference::make_gaussian_operations();
  FittedGaussians fitted = fit_gaussians(*operations, samples, values, settings, {name});
  return Gaussian(std::move(fitted.mean), std::move(fitted.covariance), name);
}

}  // namespace touchstone
