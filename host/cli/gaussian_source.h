// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "touchstone/gaussian.h"

namespace touchstone::cli {

/// "none", "auto" or a number from 0 to 1. Throws UsageError naming --shrinkage.
Shrinkage parse_shrinkage(const std::string& text);

/// A Gaussian from a file, and how it came to be.
struct SourcedGaussian {
  Gaussian gaussian;
  std::optional<std::int64_t> samples;  ///< that it was fitted to; nothing where the file gives mean and covariance
};

/// Reads {"mean": [...], "covariance": [[...], ...]} (a file that begins with a brace) or fits to samples
/// (load_samples). Throws Error naming the file and what is wrong.
SourcedGaussian load_gaussian(const std::filesystem::path& file, const GaussianFitSettings& settings);

}  // namespace touchstone::cli
