// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "host/report/terminal.h"
#include "touchstone/training.h"

namespace touchstone::report {

/// What a progress bar tells beside TrainingProgress itself.
struct ProgressFigures {
  double images_per_second = 0;  ///< 0: not known yet
  double seconds_left = -1;      ///< of the whole run; negative: not known yet
};

/// One line, at most `traits.width` - 1 columns, as
///   epoch  3/10 [#########      ]  62 %  loss 0.1034  41,200 images/s  0:12 left
/// On narrow terminals the bar shrinks first, then the rightmost figures go.
std::string progress_line(const TrainingProgress& progress, const ProgressFigures& figures,
                          const TerminalTraits& traits);

}  // namespace touchstone::report
