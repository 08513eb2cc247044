// SPDX-License-Identifier: Apache-2.0
#include "host/check/compare.h"

#include <cmath>
#include <limits>
#include <type_traits>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "touchstone/error.h"

namespace touchstone::check {
namespace {

/// What the reference's own roundings may add to a bound. It runs the formula that the bound was derived from with a
/// unit roundoff of 2^-53 in place of 2^-24, so it loses at most 2^-29 of the bound; twice that covers the rounding of
/// the bound itself.
constexpr double reference_share = 0x1p-28;

std::string element_name(const Output& output, std::int64_t index) {
  std::vector<std::int64_t> coordinate(output.dimensions.size());
  for (std::size_t d = coordinate.size(); d-- > 0;) {
    coordinate[d] = index % output.dimensions[d];
    index /= output.dimensions[d];
  }
  return fmt::format("{}[{}]", output.name, fmt::join(coordinate, ","));
}

template <class T>
void compare_elements(const Output& output, const GuardedArray<T>& elements, const Expected& expected,
                      Comparison& comparison) {
  for (std::int64_t i = 0; i < elements.size(); ++i) {
    const auto index = static_cast<std::size_t>(i);
    const auto got = static_cast<double>(elements[i]);
    const double bound = expected.bounds.empty() ? 0 : expected.bounds[index];
    // All bits set is a value that integers may take; in a float it is a NaN that no arithmetic gives.
    const bool unwritten = std::is_floating_point_v<T> && !output.in_place && elements.unwritten(i);
    const double ratio =
        unwritten ? std::numeric_limits<double>::infinity() : error_ratio(got, expected.values[index], bound);
    comparison.worst_ratio = std::max(comparison.worst_ratio, ratio);
    if (ratio <= 1) continue;
    ++comparison.wrong;
    if (!comparison.first) {
      comparison.first = Mismatch{element_name(output, i), expected.values[index], got, bound, unwritten};
    }
  }
  comparison.elements += elements.size();
  comparison.followed += expected.followed;
}

}  // namespace

double error_ratio(double got, double expected, double bound) {
  if (got == expected || (std::isnan(got) && std::isnan(expected))) return 0;
  const double error = std::abs(got - expected);
  if (!(error <= std::numeric_limits<double>::max()) || bound == 0) return std::numeric_limits<double>::infinity();
  return error / (bound * (1 + reference_share));
}

Comparison compare(const Outputs& outputs, const std::vector<Expected>& expected) {
  Comparison comparison;
  for (std::size_t i = 0; i < outputs.all().size(); ++i) {
    const Output& output = outputs[i];
    const auto compare_output = [&](const auto& elements) {
      if (elements.values().size() != expected[i].values.size()) {
        throw Error(
            fmt::format("{} has {} elements; expected {}", output.name, elements.size(), expected[i].values.size()));
      }
      compare_elements(output, elements, expected[i], comparison);
    };
    std::visit(compare_output, output.elements);
  }
  return comparison;
}

std::string describe(const Comparison& comparison) {
  const Mismatch& first = *comparison.first;
  const std::string got = first.unwritten ? "nothing was written" : fmt::format("got {:.9g}", first.got);
  return fmt::format("{} of {} elements are wrong, first {}: expected {:.9g}, {}, bound {:.3g}", comparison.wrong,
                     comparison.elements, first.element, first.expected, got, first.bound);
}

}  // namespace touchstone::check
