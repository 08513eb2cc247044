// SPDX-License-Identifier: Apache-2.0
#include "touchstone/drift.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numeric>

#include <fmt/format.h>

#include "touchstone/error.h"
#include "touchstone/random.h"

namespace touchstone {
namespace {

/// KL of Gaussian 0 from 1 at [1], of 1 from 0 at [2].
std::array<double, 4> all_pairs(GaussianOperations& operations, const FittedGaussians& fitted) {
  std::array<double, 4> divergence{};
  operations.pairs(fitted.shape, fitted.mean.data(), fitted.factor.data(), divergence.data());
  return divergence;
}

/// Takes the rows of `values` in another order.
void permute(const std::vector<std::uint32_t>& order, std::size_t dimensions, const std::vector<double>& values,
             std::vector<double>& permuted) {
  auto to = permuted.begin();
  for (const std::uint32_t row : order) {
    to = std::copy_n(values.begin() + static_cast<std::ptrdiff_t>(row * dimensions), dimensions, to);
  }
}

void validate(const DriftSettings& settings) {
  if (!(settings.level > 0 && settings.level < 1)) {
    throw UsageError(fmt::format("the level is {}; expected a number between 0 and 1", settings.level));
  }
  const double least = std::ceil(1 / settings.level) - 1;
  if (static_cast<double>(settings.permutations) < least) {
    throw UsageError(fmt::format("{} permutations cannot show anything at the level {}; expected at least {}",
                                 settings.permutations, settings.level, least));
  }
}

/// What chance gives, from small to large.
std::vector<double> chance_values(GaussianOperations& operations, const GaussianSamples& samples,
                                  const std::vector<double>& values, const DriftSettings& settings) {
  const std::vector<std::string> names = {"a permutation of all samples", "a permutation of all samples"};
  std::vector<double> permuted(values.size());
  std::vector<double> chance;
  for (std::int64_t r = 0; r < settings.permutations; ++r) {
    const std::vector<std::uint32_t> order =
        shuffled_order(settings.seed, RandomPurpose::resampling, static_cast<std::uint32_t>(r),
                       static_cast<std::uint32_t>(samples.offsets.back()));
    permute(order, static_cast<std::size_t>(samples.dimensions), values, permuted);
    chance.push_back(all_pairs(operations, fit_gaussians(operations, samples, permuted, settings.fit, names))[2]);
  }
  std::sort(chance.begin(), chance.end());
  return chance;
}

}  // namespace

DriftReport measure_drift(GaussianOperations& operations, std::int64_t dimensions, const std::vector<double>& reference,
                          const std::vector<double>& against, const DriftSettings& settings,
                          const std::vector<std::string>& names) {
  validate(settings);
  std::vector<double> values = reference;
  values.insert(values.end(), against.begin(), against.end());
  GaussianSamples samples;
  samples.dimensions = dimensions;
  samples.offsets = {0, static_cast<std::int64_t>(reference.size()) / dimensions,
                     static_cast<std::int64_t>(values.size()) / dimensions};

  const FittedGaussians fitted = fit_gaussians(operations, samples, values, settings.fit, names);
  const std::array<double, 4> divergence = all_pairs(operations, fitted);
  DriftReport report{.kl = divergence[2], .reverse_kl = divergence[1], .shrinkage = fitted.shrinkage};

  const std::vector<double> chance = chance_values(operations, samples, values, settings);
  const auto count = static_cast<double>(chance.size());
  const auto outside = static_cast<std::size_t>(settings.level / 2 * count);
  report.chance_mean = std::accumulate(chance.begin(), chance.end(), 0.0) / count;
  report.chance_low = chance[outside];
  report.chance_high = chance[chance.size() - 1 - outside];
  const auto as_large = chance.end() - std::lower_bound(chance.begin(), chance.end(), report.kl);
  report.p_value = (1 + static_cast<double>(as_large)) / (1 + count);
  report.drift = report.p_value <= settings.level;
  return report;
}

}  // namespace touchstone
