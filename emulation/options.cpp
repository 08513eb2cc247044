// SPDX-License-Identifier: Apache-2.0
#include "emulation/options.h"

namespace touchstone::emulation {

std::string_view to_string(Schedule schedule) {
  switch (schedule) {
    case Schedule::ascending:
      return "ascending";
    case Schedule::descending:
      return "descending";
    case Schedule::random:
      return "random";
    case Schedule::by_warp:
      return "by-warp";
  }
  return "unknown";
}

std::string_view to_string(Fill fill) {
  switch (fill) {
    case Fill::not_a_number:
      return "NaN";
    case Fill::infinity:
      return "infinity";
    case Fill::large:
      return "1e38";
    case Fill::zero:
      return "zero";
  }
  return "unknown";
}

}  // namespace touchstone::emulation
