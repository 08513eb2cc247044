// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "host/report/terminal.h"
#include "touchstone/dataset.h"
#include "touchstone/network.h"

namespace touchstone::report {

/// "1x28x28".
std::string shape_text(const ImageShape& shape);

/// "10 epochs, batches of 64, cosine schedule".
std::string schedule_text(const TrainingRecipe& recipe);

/// "sgd, learning rate 0.05, momentum 0.9".
std::string optimizer_text(const TrainingRecipe& recipe);

/// Name, description, input and the layer table: output shape, parameters, multiply-adds and memory of each layer, and
/// their totals; then the recipe it is trained by.
std::string network_text(const Network& network, const Style& style);

/// The same as data: name, description, input, classes, parameters, multiply_adds, layers, training.
nlohmann::ordered_json network_json(const Network& network);

}  // namespace touchstone::report
