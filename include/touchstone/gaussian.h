// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "touchstone/gaussian_operations.h"

namespace touchstone {

/// A K-dimensional normal distribution N(m, S), known by its mean and the Cholesky factor of its covariance, L L^T = S:
/// no inverse and no determinant is ever formed. Double precision.
class Gaussian {
 public:
  /// `covariance` is [K,K] in row-major order; `name` is what error messages call it. Elements across the diagonal may
  /// differ by the rounding of a sum of K products, and their mean is taken. Throws Error where sizes do not fit,
  /// something is not finite, or the covariance is not symmetric or not positive definite, naming the eigenvalue.
  Gaussian(std::vector<double> mean, std::vector<double> covariance, const std::string& name = "the Gaussian");

  [[nodiscard]] std::int64_t dimensions() const { return static_cast<std::int64_t>(mean_.size()); }
  [[nodiscard]] const std::vector<double>& mean() const { return mean_; }
  [[nodiscard]] const std::vector<double>& covariance() const { return covariance_; }
  [[nodiscard]] const std::vector<double>& factor() const { return factor_; }

  /// ln det S = 2 sum of ln L[k,k].
  [[nodiscard]] double log_determinant() const;

  /// ln of the density at `point` [K]: -(K ln(2 pi) + ln det S + |L^-1 (point - m)|^2) / 2. Throws Error for another
  /// number of dimensions.
  [[nodiscard]] double log_density(std::span<const double> point) const;

  /// `count` draws [count,K]: m + L z with z from stream `stream` of RandomPurpose::gaussian (Box and Muller). The same
  /// everywhere for the same seed.
  [[nodiscard]] std::vector<double> sample(std::int64_t count, std::uint64_t seed, std::uint32_t stream = 0) const;

 private:
  std::vector<double> mean_;
  std::vector<double> covariance_;
  std::vector<double> factor_;
};

/// KL(p || q) in nats, the expectation under p of ln p - ln q: see reference::gaussian_pairs. Throws Error where the
/// numbers of dimensions differ, as do the functions below.
double kl_divergence(const Gaussian& p, const Gaussian& q);

/// KL(p || q) + KL(q || p): symmetric, but no metric either.
double jeffreys_divergence(const Gaussian& p, const Gaussian& q);

/// A mean over random draws, and how far it is likely to be off.
struct Estimate {
  double value = 0;
  double standard_error = 0;
};

/// (KL(p || m) + KL(q || m)) / 2 with m = (p + q) / 2, which has no closed form for Gaussians: the mean over
/// `samples` draws from each of ln p - ln m and ln q - ln m. The divergence itself lies between 0 and ln 2; an
/// estimate near an end may fall outside. Throws UsageError for less than two samples.
Estimate jensen_shannon_divergence(const Gaussian& p, const Gaussian& q, std::int64_t samples, std::uint64_t seed);

/// How far a fitted covariance S is drawn to a multiple of the identity: (1 - a) S + a (tr S / K) I.
struct Shrinkage {
  enum class Kind : std::uint8_t {
    none,
    automatic,  ///< the amount of Ledoit and Wolf
    fixed
  };
  Kind kind = Kind::none;
  double amount = 0;  ///< where fixed: from 0 to 1
};

/// The amount that minimises the expected squared distance to the true covariance, estimated from samples [N,K] about
/// their mean (Ledoit and Wolf, "A well-conditioned estimator for large-dimensional covariance matrices", 2004). With S
/// the maximum-likelihood covariance [K,K] and mu = tr S / K:
///
///   delta = |S - mu I|^2 / K,   beta = (sum over n of |x_n - mean|^4 / N - |S|^2) / (N K),   min(beta, delta) / delta
double ledoit_wolf_shrinkage(std::int64_t samples, std::int64_t dimensions, const double* values, const double* mean,
                             const double* maximum_likelihood_covariance);

struct GaussianFitSettings {
  CovarianceDivisor divisor = CovarianceDivisor::unbiased;
  Shrinkage shrinkage = {};
};

/// Several Gaussians with their factors, as GaussianOperations take and give them.
struct FittedGaussians {
  GaussianShape shape;
  std::vector<double> mean;        ///< [C,K]
  std::vector<double> covariance;  ///< [C,K,K], after shrinkage
  std::vector<double> factor;      ///< [C,K,K]
  std::vector<double> shrinkage;   ///< [C], the amounts
};

/// Fits a Gaussian to each part of `values`; `names` [C] are what messages call the parts. Throws Error where values
/// are not finite, and where a covariance cannot be positive definite: too few samples, a constant dimension, dependent
/// dimensions. Each message says what to do.
FittedGaussians fit_gaussians(GaussianOperations& operations, const GaussianSamples& samples,
                              const std::vector<double>& values, const GaussianFitSettings& settings,
                              const std::vector<std::string>& names);

/// A Gaussian fitted to samples [count,K] by the reference.
Gaussian fit_gaussian(const std::vector<double>& values, std::int64_t dimensions,
                      const GaussianFitSettings& settings = {}, const std::string& name = "the samples");

/// Says of a symmetric matrix [K,K] that is not positive definite how many eigenvalues are not positive and which is
/// the smallest: "eigenvalue 1 of 3, in ascending order, is -0.5". By Jacobi's method.
std::string describe_smallest_eigenvalue(std::int64_t dimensions, std::vector<double> matrix);

}  // namespace touchstone
