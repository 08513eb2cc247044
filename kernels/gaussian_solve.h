// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/handles.h"
#include "touchstone/gaussian_operations.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// As reference::gaussian_solve.
void gaussian_solve(const GaussianSolveShape& shape, const double* factor, const double* right_sides, double* solution,
                    cublasHandle_t blas, cudaStream_t stream);

/// Solves in place with a part of one or several matrices. Offsets are in doubles.
struct BlockSolve {
  int gaussians;               ///< how many matrices and right sides
  int rows;                    ///< of each matrix, at most gaussian_block
  const double* factor;        ///< the first element of the first matrix
  int pitch;                   ///< from row to row of a matrix
  std::int64_t factor_stride;  ///< from matrix to matrix
  double* sides;               ///< right sides, and then the solution: [rows,columns] or its transpose
  std::int64_t row_stride;
  std::int64_t column_stride;
  std::int64_t sides_stride;
  std::int64_t columns;
};
void solve_block(const BlockSolve& solve, cudaStream_t stream);

}  // namespace touchstone::TOUCHSTONE_BACKEND
