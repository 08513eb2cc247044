// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "host/report/terminal.h"
#include "touchstone/dataset.h"

namespace touchstone::report {

/// Counts, image size, mean and standard deviation, how the classes are balanced, and a few images.
std::string dataset_text(const Dataset& dataset, const TerminalTraits& traits);

/// name, shape, classes, training and test (count, per_class), normalisation.
nlohmann::ordered_json dataset_json(const Dataset& dataset);

}  // namespace touchstone::report
