// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include <nlohmann/json_fwd.hpp>

#include "host/report/terminal.h"
#include "touchstone/training.h"

namespace touchstone::report {

using Json = nlohmann::ordered_json;

/// The lines of a run, one an epoch, in columns that stay the same from the first line to the last.
class EpochTable {
 public:
  /// `validation`: whether images are held out, which adds two columns.
  EpochTable(std::int64_t epochs, bool validation);

  /// Two lines: the headings and a rule.
  [[nodiscard]] std::string header(const Style& style) const;
  [[nodiscard]] std::string line(const EpochReport& report) const;

 private:
  std::size_t epoch_width_;
  bool validation_;
};

/// A number, or null where it is NaN or infinite (JSON has neither).
Json number_or_null(double number);

}  // namespace touchstone::report
