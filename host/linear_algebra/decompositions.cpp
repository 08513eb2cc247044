// SPDX-License-Identifier: Apache-2.0
#include "host/linear_algebra/decompositions.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <utility>

#include <cblas.h>
#include <fmt/format.h>

#include "touchstone/error.h"

// LAPACK's own interface, which OpenBLAS brings without a header: everything by address, and the length of each text
// at the end. LAPACK's documentation describes the arguments.
// NOLINTBEGIN(readability-identifier-naming): the names are LAPACK's
extern "C" {
void dsyevr_(const char* job, const char* range, const char* triangle, const int* size, double* matrix,
             const int* leading, const double* lower, const double* upper, const int* first, const int* last,
             const double* tolerance, int* found, double* values, double* vectors, const int* vectors_leading,
             int* support, double* work, const int* work_size, int* int_work, const int* int_work_size, int* info,
             std::size_t, std::size_t, std::size_t);
void dgeqp3_(const int* rows, const int* columns, double* matrix, const int* leading, int* pivots, double* factors,
             double* work, const int* work_size, int* info);
void dorgqr_(const int* rows, const int* columns, const int* reflectors, double* matrix, const int* leading,
             const double* factors, double* work, const int* work_size, int* info);
void dgesvd_(const char* job_left, const char* job_right, const int* rows, const int* columns, double* matrix,
             const int* leading, double* values, double* left, const int* left_leading, double* right,
             const int* right_leading, double* work, const int* work_size, int* info, std::size_t, std::size_t);
}
// NOLINTEND(readability-identifier-naming)

namespace touchstone {
namespace {

/// Calls LAPACK's `routine` with (work, size of work, info): first to be told the best size, then to work.
template <class Routine>
void call(const char* name, Routine&& routine) {
  std::vector<double> work(1);
  int size = -1;  // only asks
  for (int pass = 0; pass < 2; ++pass) {
    int info = 0;
    routine(work.data(), &size, &info);
    if (info != 0) throw Error(fmt::format("LAPACK's {} failed (info = {}): are all values finite?", name, info));
    size = std::max(1, static_cast<int>(work[0]));
    work.resize(static_cast<std::size_t>(size));
  }
}

}  // namespace

void require_lapack() {}

SingleThread::SingleThread() {
#ifdef TOUCHSTONE_OPENBLAS
  threads_before_ = openblas_get_num_threads();
  openblas_set_num_threads(1);
#endif
}

SingleThread::~SingleThread() {
#ifdef TOUCHSTONE_OPENBLAS
  openblas_set_num_threads(threads_before_);
#endif
}

Eigenpairs largest_eigenpairs(std::int64_t size, std::vector<double> matrix, std::int64_t count) {
  const int n = static_cast<int>(size);
  const int first = static_cast<int>(size - count) + 1;  // in ascending order, counted from 1
  const double unused = 0;
  const double tolerance = 0;  // the best that is possible
  int found = 0;
  std::vector<double> values(static_cast<std::size_t>(size));
  std::vector<double> vectors(static_cast<std::size_t>(size * count));
  std::vector<int> support(static_cast<std::size_t>(2 * count));
  std::vector<int> int_work(static_cast<std::size_t>(10 * size));
  const int int_work_size = 10 * n;
  call("dsyevr", [&](double* work, const int* work_size, int* info) {
    dsyevr_("V", "I", "L", &n, matrix.data(), &n, &unused, &unused, &first, &n, &tolerance, &found, values.data(),
            vectors.data(), &n, support.data(), work, work_size, int_work.data(), &int_work_size, info, 1, 1, 1);
  });
  // LAPACK gives them in ascending order.
  values.resize(static_cast<std::size_t>(count));
  std::reverse(values.begin(), values.end());
  const auto column = [&](std::int64_t k) { return vectors.begin() + k * size; };
  for (std::int64_t k = 0; k < count / 2; ++k) std::swap_ranges(column(k), column(k + 1), column(count - 1 - k));
  return {.values = std::move(values), .vectors = std::move(vectors)};
}

std::vector<double> orthonormal_basis(std::int64_t rows, std::int64_t columns, std::vector<double> matrix) {
  const int m = static_cast<int>(rows);
  const int n = static_cast<int>(columns);
  std::vector<int> pivots(static_cast<std::size_t>(columns), 0);
  std::vector<double> factors(static_cast<std::size_t>(columns));
  call("dgeqp3", [&](double* work, const int* work_size, int* info) {
    dgeqp3_(&m, &n, matrix.data(), &m, pivots.data(), factors.data(), work, work_size, info);
  });
  // With pivots the diagonal of R descends, and its last element shows whether a column depends on the others.
  const auto diagonal = [&](std::int64_t k) { return std::abs(matrix[static_cast<std::size_t>(k * (rows + 1))]); };
  const double negligible = static_cast<double>(rows) * std::numeric_limits<double>::epsilon() * diagonal(0);
  if (!(diagonal(columns - 1) > negligible)) {
    throw Error(
        fmt::format("{} vectors of {} dimensions are linearly dependent; expected them to span as many "
                    "dimensions as there are vectors",
                    columns, rows));
  }
  call("dorgqr", [&](double* work, const int* work_size, int* info) {
    dorgqr_(&m, &n, &n, matrix.data(), &m, factors.data(), work, work_size, info);
  });
  return matrix;
}

std::vector<double> singular_values(std::int64_t rows, std::int64_t columns, std::vector<double> matrix) {
  const int m = static_cast<int>(rows);
  const int n = static_cast<int>(columns);
  const int one = 1;
  double unused = 0;
  std::vector<double> values(static_cast<std::size_t>(std::min(rows, columns)));
  call("dgesvd", [&](double* work, const int* work_size, int* info) {
    dgesvd_("N", "N", &m, &n, matrix.data(), &m, values.data(), &unused, &one, &unused, &one, work, work_size, info, 1,
            1);
  });
  return values;
}

}  // namespace touchstone
