// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

#include "touchstone/image.h"

namespace touchstone::report {

/// What a heat map shows.
struct HeatMap {
  std::vector<double> values;       ///< [labels,labels], finite
  std::vector<std::string> labels;  ///< of rows and columns
  std::string title;
  std::string row_name;     ///< what the rows are
  std::string column_name;  ///< what the columns are
};

/// A picture of a square matrix: a coloured cell with its number for each element, labels on both axes, and the scale
/// of the colours, which runs from the smallest to the largest element off the diagonal, logarithmically where none of
/// them is 0. The diagonal is grey. The font has digits, small letters and what titles of divergences need.
Picture draw_heat_map(const HeatMap& map);

}  // namespace touchstone::report
