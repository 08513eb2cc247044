// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "touchstone/gaussian.h"

namespace touchstone {

struct DriftSettings {
  GaussianFitSettings fit = {.divisor = CovarianceDivisor::unbiased,
                             .shrinkage = {.kind = Shrinkage::Kind::automatic, .amount = 0}};
  std::int64_t permutations = 99;  ///< at least 19, so that p can reach `level`
  double level = 0.05;             ///< drift is what chance gives less often than this
  std::uint64_t seed = 1;
};

/// Whether samples come from another distribution than reference samples, as far as their Gaussians tell.
struct DriftReport {
  double kl = 0;          ///< KL(against || reference)
  double reverse_kl = 0;  ///< KL(reference || against)
  /// What kl is when the samples of both are mixed at random, so that there is no drift: its mean and, of its values,
  /// the smallest range that leaves level / 2 on either side.
  double chance_mean = 0;
  double chance_low = 0;
  double chance_high = 0;
  /// (1 + permutations whose kl is not below the one found) / (1 + permutations): how often chance gives as much.
  double p_value = 1;
  bool drift = false;                  ///< p_value <= level
  std::vector<double> shrinkage = {};  ///< of reference and against
};

/// Compares `against` [M,K] with `reference` [N,K] by a permutation test of KL(against || reference). Permutation r is
/// epoch r of RandomPurpose::resampling. Throws Error as fit_gaussians, which calls the two by `names`; UsageError for
/// settings out of range.
DriftReport measure_drift(GaussianOperations& operations, std::int64_t dimensions, const std::vector<double>& reference,
                          const std::vector<double>& against, const DriftSettings& settings,
                          const std::vector<std::string>& names);

}  // namespace touchstone
