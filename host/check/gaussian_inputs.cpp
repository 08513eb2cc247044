// SPDX-License-Identifier: Apache-2.0
#include "host/check/gaussian_inputs.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include <fmt/format.h>

namespace touchstone::check {
namespace {

struct NamedShape {
  std::string_view name;
  GaussianShape shape;
};

constexpr std::array named_shapes = {
    NamedShape{"one dimension", {.gaussians = 1, .dimensions = 1}},
    NamedShape{"two", {.gaussians = 3, .dimensions = 2}},
    NamedShape{"below a side", {.gaussians = 2, .dimensions = 15}},
    NamedShape{"a side", {.gaussians = 2, .dimensions = 16}},
    NamedShape{"above a side", {.gaussians = 2, .dimensions = 17}},
    NamedShape{"below a warp", {.gaussians = 2, .dimensions = 31}},
    NamedShape{"a warp", {.gaussians = 3, .dimensions = 32}},
    NamedShape{"above a warp", {.gaussians = 2, .dimensions = 33}},
    NamedShape{"two warps", {.gaussians = 2, .dimensions = 64}},
    NamedShape{"above two warps", {.gaussians = 2, .dimensions = 65}},
    NamedShape{"a block", {.gaussians = 2, .dimensions = 128}},
    NamedShape{"above a block", {.gaussians = 2, .dimensions = 129}},
    NamedShape{"two blocks and more", {.gaussians = 1, .dimensions = 259}},
    NamedShape{"many small ones", {.gaussians = 19, .dimensions = 3}},
};

}  // namespace

LabelledShape<GaussianShape> gaussian_shape(std::int64_t index, CaseRandom& random) {
  GaussianShape shape = {.gaussians = random.between(1, 4), .dimensions = random.size(70)};
  std::string name;
  if (index < static_cast<std::int64_t>(named_shapes.size())) {
    const NamedShape& named = named_shapes.at(static_cast<std::size_t>(index));
    shape = named.shape;
    name = fmt::format("{}: ", named.name);
  }
  return {shape, fmt::format("{}C={} K={}", name, shape.gaussians, shape.dimensions)};
}

GuardedArray<double> double_reals(std::int64_t count, CaseRandom& random) {
  const GuardedArray<float> high = random.reals(count);
  const GuardedArray<float> low = random.reals(count);
  GuardedArray<double> values(count);
  for (std::int64_t i = 0; i < count; ++i) values[i] = high[i] + low[i] * 0x1p-26;
  return values;
}

GuardedArray<double> double_integers(std::int64_t count, std::int64_t magnitude, CaseRandom& random) {
  const GuardedArray<float> integers = random.integers(count, magnitude);
  GuardedArray<double> values(count);
  std::copy(integers.values().begin(), integers.values().end(), values.values().begin());
  return values;
}

GuardedArray<double> integer_factors(const GaussianShape& shape, std::int64_t neighbours, bool unit_diagonal,
                                     CaseRandom& random) {
  const std::int64_t k = shape.dimensions;
  GuardedArray<double> factors(shape.matrices_count());
  std::fill(factors.values().begin(), factors.values().end(), 0.0);
  for (std::int64_t row = 0; row < shape.means_count(); ++row) {
    const std::int64_t r = row % k;
    for (std::int64_t i = 0; i < neighbours && r > 0; ++i) {
      factors[row * k + random.between(0, r - 1)] = random.pick({-1.0, 1.0});
    }
    factors[row * k + r] = unit_diagonal ? 1.0 : random.pick({0.5, 1.0, 2.0, 4.0});
  }
  return factors;
}

GuardedArray<double> real_factors(const GaussianShape& shape, CaseRandom& random) {
  const std::int64_t k = shape.dimensions;
  GuardedArray<double> factors = double_reals(shape.matrices_count(), random);
  for (std::int64_t i = 0; i < factors.size(); ++i) {
    const std::int64_t r = i / k % k;
    const std::int64_t c = i % k;
    if (c > r) {
      factors[i] = 0;
    } else if (c == r) {
      factors[i] = 1 + std::abs(factors[i]);
    } else {
      factors[i] /= static_cast<double>(k);
    }
  }
  return factors;
}

GuardedArray<double> products_of(const GaussianShape& shape, const GuardedArray<double>& factors) {
  const std::int64_t k = shape.dimensions;
  GuardedArray<double> products(shape.matrices_count());
  for (std::int64_t i = 0; i < products.size(); ++i) {
    const double* const factor = factors.data() + i / k / k * k * k;
    const std::int64_t r = i / k % k;
    const std::int64_t c = i % k;
    long double sum = 0;
    for (std::int64_t l = 0; l <= std::min(r, c); ++l) {
      sum += static_cast<long double>(factor[r * k + l]) * factor[c * k + l];
    }
    products[i] = static_cast<double>(sum);
  }
  return products;
}

}  // namespace touchstone::check
