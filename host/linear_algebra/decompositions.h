// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

namespace touchstone {

// What LAPACK does, for matrices in its own order: column by column.

/// Throws Error in a build without LAPACK, as the functions below do.
void require_lapack();

/// Keeps BLAS and LAPACK to one thread, for the same bits on any machine, while the object lives.
class SingleThread {
 public:
  SingleThread();
  SingleThread(const SingleThread&) = delete;
  SingleThread& operator=(const SingleThread&) = delete;
  ~SingleThread();  // NOLINT(performance-trivially-destructible): with OpenBLAS it has something to do

 private:
  int threads_before_ = 0;
};

struct Eigenpairs {
  std::vector<double> values;   ///< [count], descending
  std::vector<double> vectors;  ///< [size,count]: a column each
};

/// The `count` largest eigenvalues of a symmetric matrix [size,size], of which the lower triangle is read, with their
/// eigenvectors.
Eigenpairs largest_eigenpairs(std::int64_t size, std::vector<double> matrix, std::int64_t count);

/// An orthonormal basis [rows,columns] of what the columns of `matrix` span. Throws Error where they are linearly
/// dependent. There are at most as many columns as rows.
std::vector<double> orthonormal_basis(std::int64_t rows, std::int64_t columns, std::vector<double> matrix);

/// The min(rows, columns) singular values, descending.
std::vector<double> singular_values(std::int64_t rows, std::int64_t columns, std::vector<double> matrix);

}  // namespace touchstone
