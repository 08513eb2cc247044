// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace touchstone::report {

/// 1234567 as "1,234,567".
std::string group_digits(std::int64_t number);

/// "96 B", "1.5 KiB", "45 MiB".
std::string format_bytes(std::int64_t bytes);

/// "0.42 s", "12.3 s", "2 min 05 s", "1 h 02 min".
std::string format_seconds(double seconds);

/// "0:07", "12:34", "1:02:03": for time left.
std::string format_clock(double seconds);

/// 0.98512 as "98.51 %".
std::string format_percent(double fraction);

/// A number as a person would type it: up to six significant digits.
std::string format_number(double number);

}  // namespace touchstone::report
