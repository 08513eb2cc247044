// SPDX-License-Identifier: Apache-2.0
//
// Means and covariances of several groups of samples (formulas: gaussian_operations.h), in two passes: the mean first,
// then the products of what is left of each sample without it. One pass over sums of squares would cancel.
#include <cstdint>

#include "host/reference/shape_checks.h"
#include "touchstone/error.h"
#include "touchstone/gaussian_operations.h"

namespace touchstone {

void GaussianShape::validate() const {
  reference::require_sizes("gaussian", {{"gaussians", gaussians}, {"dimensions", dimensions}});
  reference::require_countable("gaussian", "elements of the factors", {gaussians, dimensions, dimensions});
  reference::require_countable("gaussian", "operations of all pairs", {gaussians, gaussians, dimensions, dimensions});
}

void GaussianSamples::validate() const {
  if (offsets.empty() || offsets.front() != 0) throw Error("gaussian_covariance: the offsets must begin with 0");
  shape().validate();
  for (std::int64_t gaussian = 0; gaussian < gaussians(); ++gaussian) {
    reference::require_sizes("gaussian_covariance", {{"samples of a Gaussian", size(gaussian), 2}});
  }
  reference::require_countable("gaussian_covariance", "products", {offsets.back(), dimensions, dimensions});
}

namespace reference {
namespace {

void covariance_of_one(std::int64_t samples, std::int64_t dimensions, double divisor, const double* values,
                       double* mean, double* covariance) {
  for (std::int64_t k = 0; k < dimensions; ++k) {
    double sum = 0;
    for (std::int64_t n = 0; n < samples; ++n) sum += values[n * dimensions + k];
    mean[k] = sum / static_cast<double>(samples);
  }
  for (std::int64_t k = 0; k < dimensions; ++k) {
    for (std::int64_t l = 0; l <= k; ++l) {
      double sum = 0;
      for (std::int64_t n = 0; n < samples; ++n) {
        const double* sample = values + n * dimensions;
        sum += (sample[k] - mean[k]) * (sample[l] - mean[l]);
      }
      covariance[k * dimensions + l] = sum / divisor;
      covariance[l * dimensions + k] = sum / divisor;
    }
  }
}

}  // namespace

void gaussian_covariance(const GaussianSamples& samples, CovarianceDivisor divisor, const double* values, double* mean,
                         double* covariance) {
  samples.validate();
  const std::int64_t k = samples.dimensions;
  for (std::int64_t gaussian = 0; gaussian < samples.gaussians(); ++gaussian) {
    const std::int64_t size = samples.size(gaussian);
    covariance_of_one(size, k, divisor_of(divisor, size), values + samples.begin(gaussian) * k, mean + gaussian * k,
                      covariance + gaussian * k * k);
  }
}

}  // namespace reference
}  // namespace touchstone
