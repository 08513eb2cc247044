// SPDX-License-Identifier: Apache-2.0
#include "touchstone/principal_components.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

#include <cblas.h>
#include <fmt/format.h>

#include "host/linear_algebra/decompositions.h"
#include "touchstone/error.h"

namespace touchstone {
namespace {

constexpr std::int64_t slice = 1024;  // rows in memory at once

/// Calls visit(rows, number of rows) for one slice of the source after the other; the rows may be changed.
template <class Visit>
void for_each_slice(const RowSource& source, Visit&& visit) {
  std::vector<double> rows(static_cast<std::size_t>(std::min(slice, source.count) * source.dimensions));
  for (std::int64_t first = 0; first < source.count; first += slice) {
    const std::int64_t number = std::min(slice, source.count - first);
    source.read(first, number, rows.data());
    visit(rows.data(), number);
  }
}

std::vector<double> mean_of(const RowSource& source) {
  std::vector<double> mean(static_cast<std::size_t>(source.dimensions), 0.0);
  for_each_slice(source, [&](const double* rows, std::int64_t number) {
    for (std::int64_t row = 0; row < number; ++row) {
      for (std::size_t k = 0; k < mean.size(); ++k) mean[k] += *rows++;
    }
  });
  for (double& element : mean) element /= static_cast<double>(source.count);
  return mean;
}

void subtract(const std::vector<double>& mean, double* rows, std::int64_t number) {
  for (std::int64_t row = 0; row < number; ++row) {
    for (const double element : mean) *rows++ -= element;
  }
}

/// The covariance with the number of rows as divisor; of its two triangles the lower one, in column-major order.
std::vector<double> covariance_of(const RowSource& source, const std::vector<double>& mean) {
  const int dimensions = static_cast<int>(source.dimensions);
  const double scale = 1 / static_cast<double>(source.count);
  std::vector<double> covariance(mean.size() * mean.size(), 0.0);
  for_each_slice(source, [&](double* rows, std::int64_t number) {
    subtract(mean, rows, number);
    cblas_dsyrk(CblasColMajor, CblasLower, CblasNoTrans, dimensions, static_cast<int>(number), scale, rows, dimensions,
                1.0, covariance.data(), dimensions);
  });
  if (!std::all_of(covariance.begin(), covariance.end(), [](double element) { return std::isfinite(element); })) {
    throw Error("principal components: the rows hold values that are not finite, or too large to be squared");
  }
  return covariance;
}

void require_rows(const RowSource& rows) {
  if (rows.count < 1 || rows.dimensions < 1) {
    throw UsageError(fmt::format("principal components: {} rows of {} dimensions; expected at least one of each",
                                 rows.count, rows.dimensions));
  }
}

}  // namespace

PrincipalComponents principal_components(const RowSource& rows, std::int64_t count) {
  require_rows(rows);
  if (count < 1 || count > rows.dimensions) {
    throw UsageError(
        fmt::format("principal components: {} of {} dimensions; expected from 1 to as many", count, rows.dimensions));
  }
  require_lapack();  // before the covariance is summed in vain
  const SingleThread single_thread;
  std::vector<double> mean = mean_of(rows);
  Eigenpairs pairs = largest_eigenpairs(rows.dimensions, covariance_of(rows, mean), count);
  return {.count = count,
          .dimensions = rows.dimensions,
          .mean = std::move(mean),
          .axes = std::move(pairs.vectors),
          .variances = std::move(pairs.values)};
}

double mean_squared_error(const PrincipalComponents& components, const RowSource& rows) {
  require_rows(rows);
  if (rows.dimensions != components.dimensions) {
    throw UsageError(fmt::format("principal components of {} dimensions and rows of {}; expected the same number",
                                 components.dimensions, rows.dimensions));
  }
  const SingleThread single_thread;
  const int dimensions = static_cast<int>(components.dimensions);
  const int count = static_cast<int>(components.count);
  const double* const axes = components.axes.data();
  std::vector<double> scores(static_cast<std::size_t>(std::min(slice, rows.count) * components.count));
  double sum = 0;
  for_each_slice(rows, [&](double* difference, std::int64_t number) {
    const int n = static_cast<int>(number);
    subtract(components.mean, difference, number);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, count, dimensions, 1.0, difference, dimensions, axes,
                dimensions, 0.0, scores.data(), count);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, dimensions, count, -1.0, scores.data(), count, axes,
                dimensions, 1.0, difference, dimensions);
    for (std::int64_t i = 0; i < number * components.dimensions; ++i) sum += difference[i] * difference[i];
  });
  return sum / static_cast<double>(rows.count);
}

}  // namespace touchstone
