// SPDX-License-Identifier: Apache-2.0
#include "host/cli/rates.h"

#include <array>
#include <cmath>
#include <utility>

#include <fmt/format.h>

namespace touchstone::cli {
namespace {

/// "1.23", "45.6", "789", "1234": three significant digits, more where the whole part has more.
std::string three_digits(double number) {
  const int before_point = number < 9.995 ? 1 : number < 99.95 ? 2 : 3;
  return fmt::format("{:.{}f}", number, 3 - before_point);
}

}  // namespace

std::string duration_text(double seconds) {
  constexpr std::array<std::pair<double, const char*>, 4> units = {
      {{1, "s"}, {1e-3, "ms"}, {1e-6, "us"}, {1e-9, "ns"}}};
  for (const auto& [unit, name] : units) {
    if (seconds >= unit) return fmt::format("{} {}", three_digits(seconds / unit), name);
  }
  return fmt::format("{:.2g} {}", seconds / units.back().first, units.back().second);
}

std::string rate_text(std::int64_t amount, double seconds) {
  constexpr double billion = 1e9;
  if (amount == 0 || !(seconds > 0)) return "-";
  return three_digits(static_cast<double>(amount) / seconds / billion);
}

}  // namespace touchstone::cli
