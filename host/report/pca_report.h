// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "touchstone/pca_comparison.h"

namespace touchstone::report {

/// Two lines, as `touchstone eval` prints them below an autoencoder's error, `loss`: the error of PCA, and the angles.
std::string pca_text(const PcaComparison& comparison, double loss);

/// components, fitted_images, loss, ratio (of the autoencoder's loss to that of PCA), largest_angle, median_angle and
/// angles, in degrees.
nlohmann::ordered_json pca_json(const PcaComparison& comparison, double loss);

}  // namespace touchstone::report
