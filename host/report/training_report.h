// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "host/report/terminal.h"
#include "touchstone/training.h"

namespace touchstone::report {

using Json = nlohmann::ordered_json;

/// The lines of a run, one an epoch, in columns that stay the same from the first line to the last.
class EpochTable {
 public:
  /// A heading with the width of what stands below it.
  using Heading = std::pair<std::string, std::size_t>;

  /// `validation`: whether images are held out, which adds columns; `autoencoder`: whether there are reconstruction
  /// errors instead of losses and accuracies.
  EpochTable(std::int64_t epochs, bool validation, bool autoencoder = false);

  /// Two lines: the headings and a rule.
  [[nodiscard]] std::string header(const Style& style) const;
  [[nodiscard]] std::string line(const EpochReport& report) const;

 private:
  std::vector<Heading> columns_;
};

/// A number, or null where it is NaN or infinite (JSON has neither).
Json number_or_null(double number);

}  // namespace touchstone::report
