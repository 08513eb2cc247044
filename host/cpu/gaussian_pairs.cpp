// SPDX-License-Identifier: Apache-2.0
//
// The divergence of every Gaussian from every other (formula: gaussian_operations.h). A task is one pair of factors, or
// the differences of all means from one. A tile of columns of L_i - L_j stays in the core's first cache while it is
// solved and squared; its rows above the diagonal are zero and left out.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "touchstone/gaussian_operations.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/cpu/gaussian_pairs.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "host/cpu/aligned_vector.h"
#include "host/cpu/double_products-inl.h"
#include "host/cpu/thread_pool.h"

HWY_BEFORE_NAMESPACE();
namespace touchstone::cpu {
namespace HWY_NAMESPACE {
namespace {

/// What the threads share.
struct Pairs {
  GaussianShape shape;
  const double* mean;
  const double* factor;
  double* below;      // [C,C] sums of Y[r,k]^2 over r > k, and the terms of the diagonal
  double* distances;  // [C,C] |z|^2
};

/// (l/m)^2 - 1 - 2 ln(l/m): 0 where the two are equal, else positive.
double diagonal_term(double l, double m) {
  const double d = (l - m) / m;
  if (std::abs(d) < near_one) {
    return d * d + 2 * log1p_excess(d);
  }
  const double quotient = l / m;
  return quotient * quotient - 1 - 2 * std::log(quotient);
}

/// The sum over the rows first .. K-1 of a tile of the squares of each column, added to `low` and `high`.
HWY_INLINE void add_squares(std::int64_t dimensions, std::int64_t first, const double* tile, DoubleVector& low,
                            DoubleVector& high) {
  const Doubles d;
  const std::int64_t lanes = double_lanes();
  for (std::int64_t r = first; r < dimensions; ++r) {
    const DoubleVector left = hn::Load(d, tile + r * 2 * lanes);
    const DoubleVector right = hn::Load(d, tile + r * 2 * lanes + lanes);
    low = hn::MulAdd(left, left, low);
    high = hn::MulAdd(right, right, high);
  }
}

/// below[i,j].
void compare_factors(const Pairs& pairs, std::int64_t i, std::int64_t j, double* tile) {
  const Doubles d;
  const std::int64_t k = pairs.shape.dimensions;
  const std::int64_t width = double_tile();
  const double* const p = pairs.factor + i * k * k;
  const double* const q = pairs.factor + j * k * k;
  DoubleVector low = hn::Zero(d);
  DoubleVector high = hn::Zero(d);
  double diagonal = 0;
  for (std::int64_t first = 0; first < k; first += width) {
    const std::int64_t columns = std::min(width, k - first);
    for (std::int64_t r = first; r < k; ++r) {
      for (std::int64_t c = 0; c < columns; ++c) {
        tile[r * width + c] = p[r * k + first + c] - q[r * k + first + c];
      }
      std::fill(tile + r * width + columns, tile + (r + 1) * width, 0.0);
    }
    substitute(k, q, first, tile);
    for (std::int64_t c = 0; c < columns; ++c) {  // the diagonal has terms of its own
      diagonal += diagonal_term(p[(first + c) * (k + 1)], q[(first + c) * (k + 1)]);
      tile[(first + c) * width + c] = 0;
    }
    add_squares(k, first, tile, low, high);
  }
  pairs.below[i * pairs.shape.gaussians + j] = diagonal + hn::GetLane(hn::SumOfLanes(d, hn::Add(low, high)));
}

/// distances[i,j] for all i.
void compare_means(const Pairs& pairs, std::int64_t j, double* tile) {
  const Doubles d;
  const std::int64_t k = pairs.shape.dimensions;
  const std::int64_t width = double_tile();
  for (std::int64_t first = 0; first < pairs.shape.gaussians; first += width) {
    const std::int64_t columns = std::min(width, pairs.shape.gaussians - first);
    for (std::int64_t r = 0; r < k; ++r) {
      for (std::int64_t c = 0; c < columns; ++c) {
        tile[r * width + c] = pairs.mean[(first + c) * k + r] - pairs.mean[j * k + r];
      }
      std::fill(tile + r * width + columns, tile + (r + 1) * width, 0.0);
    }
    substitute(k, pairs.factor + j * k * k, 0, tile);
    DoubleVector low = hn::Zero(d);
    DoubleVector high = hn::Zero(d);
    add_squares(k, 0, tile, low, high);
    hn::Store(low, d, tile);
    hn::Store(high, d, tile + double_lanes());
    for (std::int64_t c = 0; c < columns; ++c) {
      pairs.distances[(first + c) * pairs.shape.gaussians + j] = tile[c];
    }
  }
}

void gaussian_pairs_kernel(const GaussianShape& shape, const double* mean, const double* factor, double* divergence,
                           ThreadPool& pool) {
  std::vector<double> distances(static_cast<std::size_t>(shape.pairs_count()));
  const Pairs pairs = {
      .shape = shape, .mean = mean, .factor = factor, .below = divergence, .distances = distances.data()};
  const std::int64_t tile_size = shape.dimensions * double_tile();
  AlignedVector<double> memory(static_cast<std::size_t>(pool.threads() * tile_size));
  pool.parallel_for(shape.pairs_count() + shape.gaussians, [&](std::int64_t task, int thread) {
    double* const tile = memory.data() + thread * tile_size;
    if (task < shape.pairs_count()) {
      compare_factors(pairs, task / shape.gaussians, task % shape.gaussians, tile);
    } else {
      compare_means(pairs, task - shape.pairs_count(), tile);
    }
  });
  std::transform(distances.begin(), distances.end(), divergence, divergence,
                 [](double distance, double below) { return (below + distance) / 2; });
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace touchstone::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace touchstone::cpu {

namespace {
HWY_EXPORT(gaussian_pairs_kernel);
}  // namespace

void gaussian_pairs(const GaussianShape& shape, const double* mean, const double* factor, double* divergence,
                    ThreadPool& pool) {
  shape.validate();
  HWY_DYNAMIC_DISPATCH(gaussian_pairs_kernel)(shape, mean, factor, divergence, pool);
}

}  // namespace touchstone::cpu

#endif  // HWY_ONCE
