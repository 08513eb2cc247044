// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "kernels/backend.h"
#include "kernels/fused_step_shape.h"
#include "kernels/fused_step_tensor_plan.h"
#include "kernels/geometry.h"
#include "touchstone/plan.h"

/// Networks whose fused step is compiled for them alone. Where sizes and places are known, address arithmetic and the
/// ends of loops fall away: nearly half of the instructions.
namespace touchstone::TOUCHSTONE_BACKEND {

/// The network `seed` (host/model/network.cpp) by tensor cores, as plan_fused_step() plans it.
[[nodiscard]] constexpr FusedStepShape seed_shape() {
  FusedStepShape shape{};
  shape.blocks = 2;
  shape.block[0] = make_fused_block(1, 28, 28, 8, 5, 2);
  shape.block[1] = make_fused_block(8, 12, 12, 16, 5, 2);
  shape.image_size = 784;
  shape.features = 256;
  shape.classes = 10;
  const auto take = [&shape](int floats) {
    const int place = shape.parameter_floats;
    shape.parameter_floats += round_up(floats, static_cast<int>(parameter_alignment));
    return place;
  };
  for (int i = 0; i < shape.blocks; ++i) {
    FusedBlock& block = shape.block[static_cast<std::size_t>(i)];
    block.weights = take(block.weights_count());
    block.bias = take(block.filters);
  }
  shape.dense_weights = take(shape.classes * shape.features);
  shape.dense_bias = take(shape.classes);
  return *plan_tensor_step(shape);
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
