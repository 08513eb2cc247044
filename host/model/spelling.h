// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace touchstone {

/// The candidate with the smallest edit distance (insertions, deletions, substitutions and swaps of neighbours) to
/// `word`, where that is at most a third of its length (at least 1, so that short words find their neighbours);
/// the first of equals.
std::optional<std::string> nearest_spelling(std::string_view word, const std::vector<std::string>& candidates);

/// "; did you mean `seed`?" for the nearest candidate, or nothing.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace touchstone
