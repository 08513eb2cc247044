// SPDX-License-Identifier: Apache-2.0
//
// Means and covariances of several groups of samples (formulas: gaussian_operations.h). A task is a stripe of rows of
// one covariance, up to its diagonal: it takes some samples at a time without their mean into memory of its own, and
// adds their products to the stripe.
#include <algorithm>
#include <cstdint>

#include "touchstone/gaussian_operations.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/cpu/gaussian_covariance.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "host/cpu/aligned_vector.h"
#include "host/cpu/double_products-inl.h"
#include "host/cpu/thread_pool.h"

HWY_BEFORE_NAMESPACE();
namespace touchstone::cpu {
namespace HWY_NAMESPACE {
namespace {

constexpr std::int64_t stripe_rows = 32;  // the samples are centred anew for each stripe: a sixteenth of its work
constexpr std::int64_t block_samples = 64;
static_assert(stripe_rows % double_rows == 0);

/// One task: rows first .. end-1 of the covariance of `samples` samples.
struct Stripe {
  std::int64_t samples;
  std::int64_t dimensions;
  std::int64_t first;
  std::int64_t end;
  std::int64_t pitch;    // of the rows of `sums` and `centred`: whole blocks of rows, and a tile beyond
  const double* values;  // [samples,dimensions]
  const double* mean;    // [dimensions]
  double* sums;          // [stripe_rows,pitch]
  double* centred;       // [block_samples,pitch]
};

/// The samples begin .. begin+count-1 without their mean, in the columns that the stripe needs.
void centre(const Stripe& stripe, std::int64_t begin, std::int64_t count) {
  for (std::int64_t n = 0; n < count; ++n) {
    const double* const sample = stripe.values + (begin + n) * stripe.dimensions;
    double* const to = stripe.centred + n * stripe.pitch;
    for (std::int64_t c = 0; c < stripe.end; ++c) {
      to[c] = sample[c] - stripe.mean[c];
    }
    std::fill(to + stripe.end, to + stripe.pitch, 0.0);
  }
}

void add_products(const Stripe& stripe, std::int64_t count) {
  for (std::int64_t r = stripe.first; r < stripe.end; r += double_rows) {
    for (std::int64_t c = 0; c < std::min(r + double_rows, stripe.end); c += double_tile()) {
      add_double_products<false, double_rows>({.left = stripe.centred + r,
                                               .left_row = 1,
                                               .left_step = stripe.pitch,
                                               .right = stripe.centred + c,
                                               .right_step = stripe.pitch,
                                               .count = count},
                                              stripe.sums + (r - stripe.first) * stripe.pitch + c, stripe.pitch);
    }
  }
}

void sum_stripe(const Stripe& stripe, double divisor, double* covariance) {
  std::fill(stripe.sums, stripe.sums + stripe_rows * stripe.pitch, 0.0);
  for (std::int64_t begin = 0; begin < stripe.samples; begin += block_samples) {
    const std::int64_t count = std::min(block_samples, stripe.samples - begin);
    centre(stripe, begin, count);
    add_products(stripe, count);
  }
  for (std::int64_t r = stripe.first; r < stripe.end; ++r) {
    for (std::int64_t c = 0; c <= r; ++c) {
      const double element = stripe.sums[(r - stripe.first) * stripe.pitch + c] / divisor;
      covariance[r * stripe.dimensions + c] = element;
      covariance[c * stripe.dimensions + r] = element;
    }
  }
}

void mean_of_one(std::int64_t samples, std::int64_t dimensions, const double* values, double* mean) {
  std::fill(mean, mean + dimensions, 0.0);
  for (std::int64_t n = 0; n < samples; ++n) {
    for (std::int64_t k = 0; k < dimensions; ++k) {
      mean[k] += values[n * dimensions + k];
    }
  }
  for (std::int64_t k = 0; k < dimensions; ++k) {
    mean[k] /= static_cast<double>(samples);
  }
}

void gaussian_covariance_kernel(const GaussianSamples& samples, CovarianceDivisor divisor, const double* values,
                                double* mean, double* covariance, ThreadPool& pool) {
  const std::int64_t k = samples.dimensions;
  const auto values_of = [&](std::int64_t gaussian) { return values + samples.begin(gaussian) * k; };
  pool.parallel_for(samples.gaussians(), [&](std::int64_t gaussian, int /*thread*/) {
    mean_of_one(samples.size(gaussian), k, values_of(gaussian), mean + gaussian * k);
  });

  const std::int64_t stripes = (k + stripe_rows - 1) / stripe_rows;
  const std::int64_t pitch = stripes * stripe_rows + double_tile();
  const std::int64_t memory_size = (stripe_rows + block_samples) * pitch;
  AlignedVector<double> memory(static_cast<std::size_t>(pool.threads() * memory_size));
  pool.parallel_for(samples.gaussians() * stripes, [&](std::int64_t task, int thread) {
    const std::int64_t gaussian = task / stripes;
    const std::int64_t first = (stripes - 1 - task % stripes) * stripe_rows;  // the longest first
    double* const own = memory.data() + thread * memory_size;
    sum_stripe({.samples = samples.size(gaussian),
                .dimensions = k,
                .first = first,
                .end = std::min(first + stripe_rows, k),
                .pitch = pitch,
                .values = values_of(gaussian),
                .mean = mean + gaussian * k,
                .sums = own,
                .centred = own + stripe_rows * pitch},
               divisor_of(divisor, samples.size(gaussian)), covariance + gaussian * k * k);
  });
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace touchstone::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace touchstone::cpu {

namespace {
HWY_EXPORT(gaussian_covariance_kernel);
}  // namespace

void gaussian_covariance(const GaussianSamples& samples, CovarianceDivisor divisor, const double* values, double* mean,
                         double* covariance, ThreadPool& pool) {
  samples.validate();
  HWY_DYNAMIC_DISPATCH(gaussian_covariance_kernel)(samples, divisor, values, mean, covariance, pool);
}

}  // namespace touchstone::cpu

#endif  // HWY_ONCE
