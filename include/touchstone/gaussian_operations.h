// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "touchstone/timed_operations.h"

namespace touchstone {

/// Several Gaussians of one number of dimensions. Means are [C,K], covariances and their factors [C,K,K], the matrix of
/// all pairs [C,C], in row-major order and double precision.
struct GaussianShape {
  std::int64_t gaussians = 1;   ///< C
  std::int64_t dimensions = 1;  ///< K

  [[nodiscard]] constexpr std::int64_t means_count() const { return gaussians * dimensions; }
  [[nodiscard]] constexpr std::int64_t matrices_count() const { return means_count() * dimensions; }
  [[nodiscard]] constexpr std::int64_t pairs_count() const { return gaussians * gaussians; }

  /// Throws Error unless every size is positive.
  void validate() const;

  bool operator==(const GaussianShape&) const = default;
};

/// Samples [N,K] of several Gaussians, one after the other: Gaussian c has the rows offsets[c] .. offsets[c+1]-1.
struct GaussianSamples {
  std::vector<std::int64_t> offsets = {0, 2};  ///< [C+1], from 0
  std::int64_t dimensions = 1;                 ///< K

  [[nodiscard]] std::int64_t gaussians() const { return static_cast<std::int64_t>(offsets.size()) - 1; }
  [[nodiscard]] std::int64_t begin(std::int64_t gaussian) const { return offsets[static_cast<std::size_t>(gaussian)]; }
  [[nodiscard]] std::int64_t size(std::int64_t gaussian) const { return begin(gaussian + 1) - begin(gaussian); }
  [[nodiscard]] std::int64_t samples_count() const { return offsets.back() * dimensions; }
  [[nodiscard]] GaussianShape shape() const { return {.gaussians = gaussians(), .dimensions = dimensions}; }

  /// Throws Error unless there is a Gaussian, a dimension, and at least two samples of each.
  void validate() const;

  bool operator==(const GaussianSamples&) const = default;
};

/// What the sum of squares about the mean of n samples is divided by.
enum class CovarianceDivisor : std::uint8_t {
  unbiased,           ///< n - 1: the expected value is the covariance
  maximum_likelihood  ///< n: the samples are likeliest under it
};

/// n or n - 1.
[[nodiscard]] constexpr double divisor_of(CovarianceDivisor divisor, std::int64_t samples) {
  return static_cast<double>(divisor == CovarianceDivisor::unbiased ? samples - 1 : samples);
}

/// Right sides [C,K,M], M columns for each of C factors; solutions have the same layout.
struct GaussianSolveShape {
  std::int64_t gaussians = 1;   ///< C
  std::int64_t dimensions = 1;  ///< K
  std::int64_t columns = 1;     ///< M

  [[nodiscard]] constexpr std::int64_t factors_count() const { return gaussians * dimensions * dimensions; }
  [[nodiscard]] constexpr std::int64_t sides_count() const { return gaussians * dimensions * columns; }

  /// Throws Error unless every size is positive.
  void validate() const;

  bool operator==(const GaussianSolveShape&) const = default;
};

/// A pivot of the Cholesky factorisation must exceed this part of its diagonal element: below, rounding alone decides
/// its sign (Higham, "Accuracy and Stability of Numerical Algorithms", theorem 10.7).
[[nodiscard]] constexpr double smallest_pivot(std::int64_t dimensions) {
  return static_cast<double>(dimensions) * 0x1p-52;
}

/// Below this |d| the divergence's term of the diagonal is taken from log1p_excess(d), above from the quotient itself.
inline constexpr double near_one = 0.25;

/// d - log(1 + d) for |d| < near_one, never negative, without cancellation. With s = d / (2 + d), log(1 + d) is
/// 2 atanh(s) and d is 2s / (1 - s), so that the difference is s d - 2 s^3 (1/3 + s^2/5 + s^4/7 + ...). s^2 is below
/// 1/49: ten terms reach 2^-56 of the first.
[[nodiscard]] constexpr double log1p_excess(double d) {
  const double s = d / (2.0 + d);
  const double square = s * s;
  double series = 0.0;
  for (int denominator = 21; denominator >= 3; denominator -= 2) {
    series = series * square + 1.0 / denominator;
  }
  return s * d - 2.0 * s * square * series;
}

/// The operations on Gaussians of one device, on host arrays: what divergences are computed with, and what
/// `touchstone check` compares with the reference. The formulas stand at the functions of touchstone::reference.
class GaussianOperations : public TimedOperations {
 public:
  [[nodiscard]] virtual std::string device() const = 0;

  virtual void covariance(const GaussianSamples& samples, CovarianceDivisor divisor, const double* values, double* mean,
                          double* covariance) = 0;
  virtual void cholesky(const GaussianShape& shape, const double* covariance, double* factor,
                        std::int32_t* failures) = 0;
  virtual void solve(const GaussianSolveShape& shape, const double* factor, const double* right_sides,
                     double* solution) = 0;
  virtual void pairs(const GaussianShape& shape, const double* mean, const double* factor, double* divergence) = 0;
};

namespace reference {

/// mean[c,k] = sum over the rows n of c of values[n,k] / size(c), and
/// covariance[c,k,l] = sum over n of (values[n,k] - mean[c,k]) (values[n,l] - mean[c,l]) / divisor,
/// symmetric to the last bit.
void gaussian_covariance(const GaussianSamples& samples, CovarianceDivisor divisor, const double* values, double* mean,
                         double* covariance);

/// The lower triangular L with L L^T = S, zero above its diagonal; reads the lower triangle of S alone:
///
///   pivot_k = S[k,k] - sum over l < k of L[k,l]^2,   L[k,k] = sqrt(pivot_k)
///   L[r,k] = (S[r,k] - sum over l < k of L[r,l] L[k,l]) / L[k,k]   for r > k
///
/// failures[c] is 0, or k + 1 for the first pivot that is not above smallest_pivot(K) S[k,k] (NaN among them): S is
/// not positive definite then, as far as double precision can tell, and the factor is all zeros.
void gaussian_cholesky(const GaussianShape& shape, const double* covariance, double* factor, std::int32_t* failures);

/// X with L X = B for each Gaussian, by forward substitution:
///
///   X[r,m] = (B[r,m] - sum over k < r of L[r,k] X[k,m]) / L[r,r]
void gaussian_solve(const GaussianSolveShape& shape, const double* factor, const double* right_sides, double* solution);

/// divergence[i,j] = KL(N_i || N_j), from the means and the Cholesky factors. With Y = L_j^-1 (L_i - L_j), which is
/// L_j^-1 L_i - I and lower triangular, z = L_j^-1 (m_i - m_j), and d_k = Y[k,k] = L_i[k,k] / L_j[k,k] - 1:
///
///   2 KL = sum over k of (d_k^2 + 2 (d_k - log(1 + d_k))) + sum over r > k of Y[r,k]^2 + sum over r of z[r]^2
///
/// This is tr(S_j^-1 S_i) + |z|^2 - K + ln(det S_j / det S_i) term by term (docs/divergence.md), but no term is
/// negative and none cancels another: 0 for equal Gaussians, and accurate for nearly equal ones.
void gaussian_pairs(const GaussianShape& shape, const double* mean, const double* factor, double* divergence);

/// These operations as loops in double precision.
std::unique_ptr<GaussianOperations> make_gaussian_operations();

}  // namespace reference

namespace cpu {

class ThreadPool;

// As in touchstone::reference, vectorised and threaded: the same bits for any number of threads.

void gaussian_covariance(const GaussianSamples& samples, CovarianceDivisor divisor, const double* values, double* mean,
                         double* covariance, ThreadPool& pool);
void gaussian_cholesky(const GaussianShape& shape, const double* covariance, double* factor, std::int32_t* failures,
                       ThreadPool& pool);
void gaussian_solve(const GaussianSolveShape& shape, const double* factor, const double* right_sides, double* solution,
                    ThreadPool& pool);
void gaussian_pairs(const GaussianShape& shape, const double* mean, const double* factor, double* divergence,
                    ThreadPool& pool);

}  // namespace cpu
}  // namespace touchstone
