// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace touchstone::cli {

/// Three significant digits in the unit that suits: "1.23 s", "456 ms", "7.80 us", "9.00 ns".
std::string duration_text(double seconds);

/// Billions a second, to three significant digits: of FLOPs or bytes. "-" for none.
std::string rate_text(std::int64_t amount, double seconds);

}  // namespace touchstone::cli
