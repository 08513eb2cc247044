// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "touchstone/random.h"

namespace touchstone::testing {

/// Numbers in [-1, 1) from a seed.
class Uniform {
 public:
  explicit Uniform(std::uint64_t seed) : seed_(seed) {}
  [[nodiscard]] double next() { return 2.0 * random_word(seed_, RandomPurpose::check, 0, index_++) * 0x1p-32 - 1.0; }
  [[nodiscard]] std::vector<double> next(std::int64_t count) {
    std::vector<double> values(static_cast<std::size_t>(count));
    for (double& value : values) value = next();
    return values;
  }

 private:
  std::uint64_t seed_;
  std::uint64_t index_ = 0;
};

/// H diag(eigenvalues) H with H = I - 2 v v^T / |v|^2 for a random v: symmetric to the last bit.
inline std::vector<double> covariance_with(const std::vector<double>& eigenvalues, Uniform& random) {
  const std::size_t k = eigenvalues.size();
  std::vector<double> v = random.next(static_cast<std::int64_t>(k));
  long double square = 0;
  for (const double element : v) square += static_cast<long double>(element) * element;
  std::vector<double> matrix(k * k);
  for (std::size_t r = 0; r < k; ++r) {
    for (std::size_t c = 0; c <= r; ++c) {
      long double sum = 0;
      for (std::size_t i = 0; i < k; ++i) {
        const long double in_r = (r == i ? 1.0L : 0.0L) - 2.0L * v[r] * v[i] / square;
        const long double in_c = (c == i ? 1.0L : 0.0L) - 2.0L * v[c] * v[i] / square;
        sum += in_r * in_c * eigenvalues[i];
      }
      matrix[r * k + c] = matrix[c * k + r] = static_cast<double>(sum);
    }
  }
  return matrix;
}

/// A covariance with eigenvalues from 1/2 to 2.
inline std::vector<double> well_conditioned(std::int64_t dimensions, Uniform& random) {
  std::vector<double> eigenvalues;
  for (std::int64_t k = 0; k < dimensions; ++k) eigenvalues.push_back(std::exp2(random.next()));
  return covariance_with(eigenvalues, random);
}

}  // namespace touchstone::testing
