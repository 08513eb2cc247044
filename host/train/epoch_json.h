// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <nlohmann/json.hpp>

#include "touchstone/training.h"

namespace touchstone {

/// One epoch as in metrics.jsonl, in `train --json` and in a checkpoint.
nlohmann::ordered_json epoch_json(const EpochReport& report);

/// The reverse. Throws nlohmann::json::exception where a key is missing or of another type.
EpochReport epoch_from_json(const nlohmann::ordered_json& json);

}  // namespace touchstone
