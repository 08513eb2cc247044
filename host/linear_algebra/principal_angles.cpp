// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

#include <cblas.h>
#include <fmt/format.h>

#include "host/linear_algebra/decompositions.h"
#include "touchstone/error.h"
#include "touchstone/principal_components.h"

namespace touchstone {
namespace {

/// How many vectors there are, all of them finite.
std::int64_t count_vectors(std::int64_t dimensions, const std::vector<double>& vectors) {
  const auto values = static_cast<std::int64_t>(vectors.size());
  if (dimensions < 1 || values < dimensions || values % dimensions != 0 || values / dimensions > dimensions) {
    throw UsageError(fmt::format("principal angles: {} values are not 1 to {} vectors of {} dimensions", values,
                                 dimensions, dimensions));
  }
  if (!std::all_of(vectors.begin(), vectors.end(), [](double element) { return std::isfinite(element); })) {
    throw Error("principal angles: the vectors hold values that are not finite");
  }
  return values / dimensions;
}

}  // namespace

std::vector<double> principal_angles(std::int64_t dimensions, const std::vector<double>& first,
                                     const std::vector<double>& second) {
  if (first.size() < second.size()) return principal_angles(dimensions, second, first);
  const std::int64_t larger = count_vectors(dimensions, first);
  const std::int64_t smaller = count_vectors(dimensions, second);
  const SingleThread single_thread;
  // Rows in row-major order are columns in LAPACK's.
  const std::vector<double> a = orthonormal_basis(dimensions, larger, first);
  std::vector<double> b = orthonormal_basis(dimensions, smaller, second);

  const int k = static_cast<int>(dimensions);
  const int p = static_cast<int>(larger);
  const int q = static_cast<int>(smaller);
  std::vector<double> product(static_cast<std::size_t>(larger * smaller));  // Qa^T Qb [p,q]
  cblas_dgemm(CblasColMajor, CblasTrans, CblasNoTrans, p, q, k, 1.0, a.data(), k, b.data(), k, 0.0, product.data(), p);
  const std::vector<double> cosines = singular_values(larger, smaller, product);
  cblas_dgemm(CblasColMajor, CblasNoTrans, CblasNoTrans, k, q, p, -1.0, a.data(), k, product.data(), p, 1.0, b.data(),
              k);
  const std::vector<double> sines = singular_values(dimensions, smaller, std::move(b));

  // The largest cosine and the smallest sine belong together.
  std::vector<double> angles;
  for (std::size_t i = 0; i < cosines.size(); ++i) {
    const double sine = sines[sines.size() - 1 - i];
    angles.push_back(sine * sine <= 0.5 ? std::asin(sine) : std::acos(std::min(1.0, cosines[i])));
  }
  return angles;
}

}  // namespace touchstone
