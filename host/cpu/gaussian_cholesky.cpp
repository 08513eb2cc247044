// SPDX-License-Identifier: Apache-2.0
//
// The Cholesky factors of several matrices (formulas: gaussian_operations.h). A task is one matrix. U = L^T is computed
// a few rows at a time, for what lies above them in U is then read along its rows:
//
//   U[k,c] = (S[c,k] - sum over l < k of U[l,k] U[l,c]) / U[k,k]   for c > k
#include <algorithm>
#include <cmath>
#include <cstdint>

#include "touchstone/gaussian_operations.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/cpu/gaussian_cholesky.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "host/cpu/aligned_vector.h"
#include "host/cpu/double_products-inl.h"
#include "host/cpu/thread_pool.h"

HWY_BEFORE_NAMESPACE();
namespace touchstone::cpu {
namespace HWY_NAMESPACE {
namespace {

/// The upper triangle of one matrix in memory with room for whole blocks of rows and whole tiles of columns.
struct Upper {
  std::int64_t dimensions;
  std::int64_t pitch;  // of a row, in doubles
  double* rows;

  [[nodiscard]] double* row(std::int64_t k) const { return rows + k * pitch; }
};

/// Takes what the rows above contribute from the rows first .. first+double_rows-1.
void subtract_rows_above(const Upper& u, std::int64_t first) {
  for (std::int64_t c = first; c < u.dimensions; c += double_tile()) {
    add_double_products<true, double_rows>({.left = u.rows + first,
                                            .left_row = 1,
                                            .left_step = u.pitch,
                                            .right = u.rows + c,
                                            .right_step = u.pitch,
                                            .count = first},
                                           u.row(first) + c, u.pitch);
  }
}

/// Divides row k by the root of its pivot and takes it from the rows below it, up to `end`. Whether the pivot is large
/// enough.
bool finish_pivot(const Upper& u, std::int64_t k, std::int64_t end, double least) {
  double* const row = u.row(k);
  if (!(row[k] > least)) {
    return false;
  }
  const double root = std::sqrt(row[k]);
  row[k] = root;
  for (std::int64_t c = k + 1; c < u.dimensions; ++c) {
    row[c] /= root;
  }
  for (std::int64_t r = k + 1; r < end; ++r) {
    double* const below = u.row(r);
    const double factor = row[r];
    for (std::int64_t c = r; c < u.dimensions; ++c) {
      below[c] -= factor * row[c];
    }
  }
  return true;
}

/// 0, or k + 1 for the first pivot that is too small.
std::int32_t factorise(const Upper& u, const double* matrix) {
  for (std::int64_t first = 0; first < u.dimensions; first += double_rows) {
    subtract_rows_above(u, first);
    const std::int64_t end = std::min(first + double_rows, u.dimensions);
    for (std::int64_t k = first; k < end; ++k) {
      const double least = smallest_pivot(u.dimensions) * matrix[k * (u.dimensions + 1)];
      if (!finish_pivot(u, k, end, least)) {
        return static_cast<std::int32_t>(k + 1);
      }
    }
  }
  return 0;
}

std::int32_t factorise_one(const Upper& u, const double* matrix, double* factor) {
  const std::int64_t k = u.dimensions;
  const std::int64_t padded_rows = (k + double_rows - 1) / double_rows * double_rows;
  std::fill(u.rows, u.rows + padded_rows * u.pitch, 0.0);
  for (std::int64_t c = 0; c < k; ++c) {
    for (std::int64_t r = 0; r <= c; ++r) {
      u.row(r)[c] = matrix[c * k + r];
    }
  }
  const std::int32_t failure = factorise(u, matrix);
  for (std::int64_t r = 0; r < k; ++r) {
    for (std::int64_t c = 0; c < k; ++c) {
      factor[r * k + c] = failure == 0 && c <= r ? u.row(c)[r] : 0.0;
    }
  }
  return failure;
}

void gaussian_cholesky_kernel(const GaussianShape& shape, const double* covariance, double* factor,
                              std::int32_t* failures, ThreadPool& pool) {
  const std::int64_t k = shape.dimensions;
  const std::int64_t pitch = k + double_tile();
  const std::int64_t size = (k + double_rows) * pitch;
  AlignedVector<double> memory(static_cast<std::size_t>(pool.threads() * size));
  pool.parallel_for(shape.gaussians, [&](std::int64_t gaussian, int thread) {
    const Upper upper = {.dimensions = k, .pitch = pitch, .rows = memory.data() + thread * size};
    failures[gaussian] = factorise_one(upper, covariance + gaussian * k * k, factor + gaussian * k * k);
  });
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace touchstone::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace touchstone::cpu {

namespace {
HWY_EXPORT(gaussian_cholesky_kernel);
}  // namespace

void gaussian_cholesky(const GaussianShape& shape, const double* covariance, double* factor, std::int32_t* failures,
                       ThreadPool& pool) {
  shape.validate();
  HWY_DYNAMIC_DISPATCH(gaussian_cholesky_kernel)(shape, covariance, factor, failures, pool);
}

}  // namespace touchstone::cpu

#endif  // HWY_ONCE
