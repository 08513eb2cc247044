// SPDX-License-Identifier: Apache-2.0
#include "touchstone/gaussian.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "touchstone/error.h"
#include "touchstone/random.h"

namespace touchstone {
namespace {

/// Takes the mean of the elements across the diagonal where they differ by rounding alone.
void make_symmetric(std::int64_t dimensions, std::vector<double>& matrix, const std::string& name) {
  const double rounding = static_cast<double>(dimensions) * 0x1p-52;
  const auto size = static_cast<std::size_t>(dimensions);
  for (std::size_t r = 0; r < size; ++r) {
    for (std::size_t c = 0; c < r; ++c) {
      double& lower = matrix[r * size + c];
      double& upper = matrix[c * size + r];
      const double magnitude = std::sqrt(std::abs(matrix[r * size + r] * matrix[c * size + c]));
      if (std::abs(lower - upper) > rounding * std::max(magnitude, std::abs(lower))) {
        throw Error(fmt::format(
            "the covariance of {} is not symmetric: element [{},{}] is {:.17g}, element [{},{}] is {:.17g}; expected "
            "the same",
            name, r, c, lower, c, r, upper));
      }
      lower = upper = (lower + upper) / 2;
    }
  }
}

void require_finite(const std::vector<double>& values, const std::string& what, const std::string& name) {
  const auto bad = std::find_if(values.begin(), values.end(), [](double value) { return !std::isfinite(value); });
  if (bad != values.end()) {
    throw Error(fmt::format("element {} of the {} of {} is {}; expected a finite number", bad - values.begin(), what,
                            name, *bad));
  }
}

void require_same_dimensions(std::int64_t p, std::int64_t q) {
  if (p != q) {
    throw Error(
        fmt::format("the first Gaussian has {} dimensions and the second has {}; expected the same number", p, q));
  }
}

/// Two independent normal numbers from the words of one block (Box and Muller): each uniform number has 53 bits, the
/// first lies in (0, 1].
std::pair<double, double> normal_pair(const std::array<std::uint32_t, 4>& words) {
  const auto uniform = [](std::uint32_t high, std::uint32_t low) {
    const std::uint64_t bits = (std::uint64_t{high} << 32U | low) >> 11U;
    return static_cast<double>(bits) * 0x1p-53;
  };
  const double radius = std::sqrt(-2 * std::log(1 - uniform(words[0], words[1])));
  const double angle = 2 * std::numbers::pi * uniform(words[2], words[3]);
  return {radius * std::cos(angle), radius * std::sin(angle)};
}

/// ln p - ln m at a point, with m = (p + q) / 2, given ln p and ln q: ln 2 - ln(1 + q / p).
double above_mixture(double log_p, double log_q) {
  const double difference = log_q - log_p;
  const double log_sum = std::max(difference, 0.0) + std::log1p(std::exp(-std::abs(difference)));
  return std::numbers::ln2 - log_sum;
}

}  // namespace

Gaussian::Gaussian(std::vector<double> mean, std::vector<double> covariance, const std::string& name)
    : mean_(std::move(mean)), covariance_(std::move(covariance)) {
  if (mean_.empty()) throw Error(fmt::format("the mean of {} is empty; expected at least one dimension", name));
  if (covariance_.size() != mean_.size() * mean_.size()) {
    throw Error(fmt::format("the mean of {} has {} dimensions, so its covariance needs {} x {} elements; got {}", name,
                            mean_.size(), mean_.size(), mean_.size(), covariance_.size()));
  }
  require_finite(mean_, "mean", name);
  require_finite(covariance_, "covariance", name);
  make_symmetric(dimensions(), covariance_, name);
  factor_.resize(covariance_.size());
  std::int32_t failure = 0;
  reference::gaussian_cholesky({.gaussians = 1, .dimensions = dimensions()}, covariance_.data(), factor_.data(),
                               &failure);
  if (failure != 0) {
    throw Error(fmt::format(
        "the covariance of {} is not positive definite (its factorisation fails at row {}): {}; expected all above 0",
        name, failure - 1, describe_smallest_eigenvalue(dimensions(), covariance_)));
  }
}

double Gaussian::log_determinant() const {
  double sum = 0;
  for (std::size_t k = 0; k < mean_.size(); ++k) sum += std::log(factor_[k * mean_.size() + k]);
  return 2 * sum;
}

double Gaussian::log_density(std::span<const double> point) const {
  require_same_dimensions(dimensions(), static_cast<std::int64_t>(point.size()));
  std::vector<double> side(mean_.size());
  std::transform(point.begin(), point.end(), mean_.begin(), side.begin(), std::minus<>());
  std::vector<double> solution(side.size());
  reference::gaussian_solve({.gaussians = 1, .dimensions = dimensions(), .columns = 1}, factor_.data(), side.data(),
                            solution.data());
  double square = 0;
  for (const double z : solution) square += z * z;
  const double constant = static_cast<double>(dimensions()) * std::log(2 * std::numbers::pi);
  return -(constant + log_determinant() + square) / 2;
}

std::vector<double> Gaussian::sample(std::int64_t count, std::uint64_t seed, std::uint32_t stream) const {
  const std::size_t size = mean_.size();
  std::vector<double> draws(static_cast<std::size_t>(count) * size);
  for (std::size_t i = 0; i < draws.size(); i += 2) {
    const auto [first, second] = normal_pair(random_words(seed, RandomPurpose::gaussian, stream, i / 2));
    draws[i] = first;
    if (i + 1 < draws.size()) draws[i + 1] = second;
  }
  for (std::size_t n = 0; n < static_cast<std::size_t>(count); ++n) {
    double* draw = draws.data() + n * size;
    for (std::size_t r = size; r-- > 0;) {  // from below: row r needs the elements up to r as they were
      double value = mean_[r];
      for (std::size_t k = 0; k <= r; ++k) value += factor_[r * size + k] * draw[k];
      draw[r] = value;
    }
  }
  return draws;
}

double kl_divergence(const Gaussian& p, const Gaussian& q) {
  require_same_dimensions(p.dimensions(), q.dimensions());
  std::vector<double> mean = p.mean();
  mean.insert(mean.end(), q.mean().begin(), q.mean().end());
  std::vector<double> factor = p.factor();
  factor.insert(factor.end(), q.factor().begin(), q.factor().end());
  std::array<double, 4> all{};
  reference::gaussian_pairs({.gaussians = 2, .dimensions = p.dimensions()}, mean.data(), factor.data(), all.data());
  return all[1];
}

double jeffreys_divergence(const Gaussian& p, const Gaussian& q) { return kl_divergence(p, q) + kl_divergence(q, p); }

Estimate jensen_shannon_divergence(const Gaussian& p, const Gaussian& q, std::int64_t samples, std::uint64_t seed) {
  require_same_dimensions(p.dimensions(), q.dimensions());
  if (samples < 2)
    throw UsageError(fmt::format("{} samples for the Jensen-Shannon estimate; expected at least 2", samples));
  const std::vector<double> from_p = p.sample(samples, seed, 0);
  const std::vector<double> from_q = q.sample(samples, seed, 1);
  const auto size = static_cast<std::size_t>(p.dimensions());
  std::vector<double> terms;
  for (std::size_t n = 0; n < static_cast<std::size_t>(samples); ++n) {
    const std::span<const double> x(from_p.data() + n * size, size);
    const std::span<const double> y(from_q.data() + n * size, size);
    terms.push_back(
        (above_mixture(p.log_density(x), q.log_density(x)) + above_mixture(q.log_density(y), p.log_density(y))) / 2);
  }
  const auto count = static_cast<double>(samples);
  const double mean = std::accumulate(terms.begin(), terms.end(), 0.0) / count;
  double square = 0;
  for (const double term : terms) square += (term - mean) * (term - mean);
  return {.value = mean, .standard_error = std::sqrt(square / (count - 1) / count)};
}

}  // namespace touchstone
