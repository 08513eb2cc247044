// SPDX-License-Identifier: Apache-2.0
#include "host/check/outputs.h"

#include <functional>
#include <numeric>

namespace touchstone::check {

std::int64_t element_count(const Dimensions& dimensions) {
  return std::accumulate(dimensions.begin(), dimensions.end(), std::int64_t{1}, std::multiplies<>());
}

std::string written_beside(const Outputs& outputs) {
  for (const Output& output : outputs.all()) {
    const auto intact = [](const auto& elements) { return elements.guards_intact(); };
    if (!std::visit(intact, output.elements)) return output.name;
  }
  return {};
}

std::string first_difference(const Outputs& left, const Outputs& right) {
  for (std::size_t i = 0; i < left.all().size(); ++i) {
    const Output::Elements& other = right[i].elements;
    const auto same = [&other](const auto& elements) {
      return elements.same_bits(std::get<std::decay_t<decltype(elements)>>(other));
    };
    if (!std::visit(same, left[i].elements)) return left[i].name;
  }
  return {};
}

}  // namespace touchstone::check
