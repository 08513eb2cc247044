// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "kernels/backend.h"
#include "kernels/fused_step_shape.h"
#include "touchstone/plan.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// Whether and how the fused step runs a network.
struct FusedStepPlan {
  std::optional<FusedStepShape> shape;
  /// With a shape what it takes, without one why there is none: "40 KB of parameters and 46 KB for a sample in 227 KB
  /// of shared memory", "the working set of a sample is 12 KB more than the 64 KB of shared memory of a block".
  std::string reason;
};

/// The plan for a device whose blocks may have `shared_limit` bytes of shared memory; with `tensor_cores` for these, if
/// the network has the form for them and fits.
[[nodiscard]] FusedStepPlan plan_fused_step(const ExecutionPlan& plan, std::size_t shared_limit, bool tensor_cores);

}  // namespace touchstone::TOUCHSTONE_BACKEND
