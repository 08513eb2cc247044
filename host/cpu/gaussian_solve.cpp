// SPDX-License-Identifier: Apache-2.0
//
// Forward substitution with several triangular matrices (formula: gaussian_operations.h). A task is a tile of columns
// of one Gaussian, copied to memory of its own that stays in the core's first cache.
#include <algorithm>
#include <cstdint>

#include "touchstone/gaussian_operations.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/cpu/gaussian_solve.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "host/cpu/aligned_vector.h"
#include "host/cpu/double_products-inl.h"
#include "host/cpu/thread_pool.h"

HWY_BEFORE_NAMESPACE();
namespace touchstone::cpu {
namespace HWY_NAMESPACE {
namespace {

void solve_tile(const GaussianSolveShape& shape, const double* factor, const double* right_sides, double* solution,
                std::int64_t first_column, double* tile) {
  const std::int64_t width = double_tile();
  const std::int64_t columns = std::min(width, shape.columns - first_column);
  for (std::int64_t r = 0; r < shape.dimensions; ++r) {
    const double* const side = right_sides + r * shape.columns + first_column;
    std::copy(side, side + columns, tile + r * width);
    std::fill(tile + r * width + columns, tile + (r + 1) * width, 0.0);
  }
  substitute(shape.dimensions, factor, 0, tile);
  for (std::int64_t r = 0; r < shape.dimensions; ++r) {
    std::copy(tile + r * width, tile + r * width + columns, solution + r * shape.columns + first_column);
  }
}

void gaussian_solve_kernel(const GaussianSolveShape& shape, const double* factor, const double* right_sides,
                           double* solution, ThreadPool& pool) {
  const std::int64_t width = double_tile();
  const std::int64_t tiles = (shape.columns + width - 1) / width;
  const std::int64_t factor_size = shape.dimensions * shape.dimensions;
  const std::int64_t sides_size = shape.dimensions * shape.columns;
  const std::int64_t tile_size = shape.dimensions * width;
  AlignedVector<double> memory(static_cast<std::size_t>(pool.threads() * tile_size));
  pool.parallel_for(shape.gaussians * tiles, [&](std::int64_t task, int thread) {
    const std::int64_t gaussian = task / tiles;
    solve_tile(shape, factor + gaussian * factor_size, right_sides + gaussian * sides_size,
               solution + gaussian * sides_size, task % tiles * width, memory.data() + thread * tile_size);
  });
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace touchstone::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace touchstone::cpu {

namespace {
HWY_EXPORT(gaussian_solve_kernel);
}  // namespace

void gaussian_solve(const GaussianSolveShape& shape, const double* factor, const double* right_sides, double* solution,
                    ThreadPool& pool) {
  shape.validate();
  HWY_DYNAMIC_DISPATCH(gaussian_solve_kernel)(shape, factor, right_sides, solution, pool);
}

}  // namespace touchstone::cpu

#endif  // HWY_ONCE
