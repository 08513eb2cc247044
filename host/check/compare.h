// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "host/check/outputs.h"

namespace touchstone::check {

/// What an output must hold: the reference's values and how far each element may be from its own. Without bounds all
/// must be equal.
struct Expected {
  std::vector<double> values;
  std::vector<double> bounds;
  std::int64_t followed = 0;  ///< elements where the device's choice was taken over from it
};

/// One element that is wrong.
struct Mismatch {
  std::string element;  ///< "output[0,3,1,2]"
  double expected = 0;
  double got = 0;
  double bound = 0;
  bool unwritten = false;
};

/// The error of one element in units of its bound: above 1 is wrong. -0 equals 0; NaN equals NaN alone, an infinity
/// itself alone.
double error_ratio(double got, double expected, double bound);

/// How right one call's outputs are, or several calls'.
struct Comparison {
  std::int64_t elements = 0;
  std::int64_t wrong = 0;
  std::int64_t followed = 0;  ///< see Expected
  double worst_ratio = 0;     ///< the largest |got - expected| / bound; infinite where what must be equal is not
  std::optional<Mismatch> first;
};

/// Compares element by element, each with its own bound. -0 equals 0; NaN equals NaN alone, an infinity itself alone;
/// an element that still holds its poison is wrong whatever was expected. Throws Error where an output has another
/// number of elements than expected.
Comparison compare(const Outputs& outputs, const std::vector<Expected>& expected);

/// "3 of 120 elements are wrong, first output[0,3,1,2]: expected 5, got 6, bound 0"
std::string describe(const Comparison& comparison);

}  // namespace touchstone::check
