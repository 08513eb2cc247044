// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "host/check/rounded.h"
#include "touchstone/optimizer.h"

namespace touchstone::check {

/// One element of an optimizer's state. The moments are sgd's momentum buffer (the second unused) or Adam's two.
struct RoundedState {
  Rounded parameter;
  Rounded first_moment;
  Rounded second_moment;
};

/// The element after one step: the rules of touchstone/optimizer.h with every float32 operation of them counted.
/// Constants are computed in double precision and rounded once.
RoundedState optimizer_step(const OptimizerSettings& settings, const OptimizerStep& step, const RoundedState& before,
                            const Rounded& gradient);

}  // namespace touchstone::check
