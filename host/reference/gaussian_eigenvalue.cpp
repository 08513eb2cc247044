// SPDX-License-Identifier: Apache-2.0
//
// What is wrong with a matrix that is no covariance: its eigenvalues by Jacobi's method, which turns one pair of axes
// after the other until the elements off the diagonal vanish (Golub and Van Loan, "Matrix Computations", section 8.5).
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include <fmt/format.h>

#include "touchstone/gaussian.h"

namespace touchstone {
namespace {

/// A symmetric matrix whose axes can be turned.
class Turning {
 public:
  Turning(std::int64_t dimensions, std::vector<double> matrix)
      : dimensions_(static_cast<std::size_t>(dimensions)), matrix_(std::move(matrix)) {}

  /// Makes each element off the diagonal zero once; the sum of their squares before.
  double sweep() {
    double off_diagonal = 0;
    for (std::size_t p = 0; p < dimensions_; ++p) {
      for (std::size_t q = p + 1; q < dimensions_; ++q) {
        off_diagonal += at(p, q) * at(p, q);
        if (at(p, q) != 0) turn(p, q);
      }
    }
    return off_diagonal;
  }

  [[nodiscard]] double square() const {
    double sum = 0;
    for (const double element : matrix_) sum += element * element;
    return sum;
  }

  [[nodiscard]] std::vector<double> diagonal() const {
    std::vector<double> values;
    for (std::size_t k = 0; k < dimensions_; ++k) values.push_back(matrix_[k * dimensions_ + k]);
    return values;
  }

 private:
  double& at(std::size_t row, std::size_t column) { return matrix_[row * dimensions_ + column]; }

  /// Turns axes p and q so that their common element becomes zero.
  void turn(std::size_t p, std::size_t q) {
    const double theta = (at(q, q) - at(p, p)) / (2 * at(p, q));
    const double tangent = std::copysign(1.0, theta) / (std::abs(theta) + std::hypot(theta, 1.0));
    const double cosine = 1 / std::hypot(tangent, 1.0);
    const double sine = tangent * cosine;
    for (std::size_t k = 0; k < dimensions_; ++k) {
      const double in_p = at(k, p);
      const double in_q = at(k, q);
      at(k, p) = cosine * in_p - sine * in_q;
      at(k, q) = sine * in_p + cosine * in_q;
    }
    for (std::size_t k = 0; k < dimensions_; ++k) {
      const double in_p = at(p, k);
      const double in_q = at(q, k);
      at(p, k) = cosine * in_p - sine * in_q;
      at(q, k) = sine * in_p + cosine * in_q;
    }
  }

  std::size_t dimensions_;
  std::vector<double> matrix_;
};

std::vector<double> eigenvalues(std::int64_t dimensions, std::vector<double> matrix) {
  constexpr int most_sweeps = 30;  // a handful are enough, for they converge quadratically
  Turning turning(dimensions, std::move(matrix));
  const double negligible = std::numeric_limits<double>::epsilon() * std::numeric_limits<double>::epsilon();
  for (int sweep = 0; sweep < most_sweeps; ++sweep) {
    if (turning.sweep() <= negligible * turning.square()) break;
  }
  std::vector<double> values = turning.diagonal();
  std::sort(values.begin(), values.end());
  return values;
}

}  // namespace

std::string describe_smallest_eigenvalue(std::int64_t dimensions, std::vector<double> matrix) {
  const std::vector<double> values = eigenvalues(dimensions, std::move(matrix));
  const auto positive =
      std::find_if(values.begin(), values.end(), [](double value) { return value > 0; }) - values.begin();
  std::string smallest = fmt::format("eigenvalue 1 of {}, in ascending order, is {:.6g}", dimensions, values.front());
  if (positive > 1) return fmt::format("{} eigenvalues are not above 0: {}", positive, smallest);
  if (positive == 1) return smallest;
  return fmt::format("{}, while the largest is {:.6g}", smallest, values.back());
}

}  // namespace touchstone
