// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "host/report/terminal.h"
#include "touchstone/drift.h"

namespace touchstone::report {

/// KL(P || Q) of all pairs of named Gaussians: row P, column Q.
struct DivergenceMatrix {
  std::vector<std::string> names;  ///< [C]
  std::vector<double> kl;          ///< [C,C]

  [[nodiscard]] double at(std::size_t p, std::size_t q) const { return kl[p * names.size() + q]; }
  [[nodiscard]] double jeffreys(std::size_t p, std::size_t q) const { return at(p, q) + at(q, p); }
};

/// Two of the Gaussians, by their places.
struct GaussianPair {
  std::size_t p = 0;
  std::size_t q = 0;
};

/// What stands out among the pairs, of which there is at least one.
struct DivergenceSummary {
  GaussianPair most_alike;       ///< the smallest Jeffreys divergence
  GaussianPair least_alike;      ///< the largest
  GaussianPair most_asymmetric;  ///< the largest difference of KL(P || Q) from KL(Q || P), as a part of their sum
  double asymmetry = 0;          ///< the mean of that part over all pairs: 0 symmetric, 1 all in one direction
};
DivergenceSummary summarise(const DivergenceMatrix& matrix);

/// The table, which direction it shows, and what stands out.
std::string divergence_matrix_text(const DivergenceMatrix& matrix, const Style& style);
/// kl, direction, most_alike, least_alike, most_asymmetric and asymmetry.
nlohmann::ordered_json divergence_matrix_json(const DivergenceMatrix& matrix);

/// The divergences of two Gaussians.
struct PairDivergences {
  double kl = 0;
  double reverse_kl = 0;
  double jeffreys = 0;
  Estimate jensen_shannon;
};
std::string pair_divergences_text(const PairDivergences& divergences);
/// kl, reverse_kl, jeffreys, jensen_shannon and jensen_shannon_standard_error.
nlohmann::ordered_json pair_divergences_json(const PairDivergences& divergences);

/// What was measured, what chance gives, and the verdict in a sentence.
std::string drift_text(const DriftReport& report, const DriftSettings& settings, const Style& style);
/// kl, reverse_kl, chance, p_value, permutations, level, drift and verdict.
nlohmann::ordered_json drift_json(const DriftReport& report, const DriftSettings& settings);

}  // namespace touchstone::report
