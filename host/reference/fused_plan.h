// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "touchstone/conv2d_maxpool_sigmoid.h"
#include "touchstone/plan.h"

namespace touchstone {

/// One operation of a plan, or several computed as one. Shapes are those of a single sample.
struct FusedOperation {
  std::string layer;      ///< the name of the first layer it comes from
  std::size_t first = 0;  ///< the plan's operations that it is, by their index: from this one
  std::size_t end = 0;    ///< to the one before this
  std::variant<Conv2dShape, MaxpoolShape, SigmoidShape, DenseShape, Conv2dMaxpoolSigmoidShape> shape;
  ParameterSlot parameters;
  std::int64_t input_count = 0;
  std::int64_t output_count = 0;
  bool adds_to_weights_gradient = false;  ///< as of Operation
};

/// The operations of a plan. Wherever a convolution with stride 1 and no padding, a max-pool with windows of 2x2 or 3x3
/// side by side, and a sigmoid follow each other, they become one, unless a sample's code stands between them; the
/// others stay as they are. All of them do unless `blocks` may become one.
std::vector<FusedOperation> fuse(const ExecutionPlan& plan, bool blocks = true);

/// How many blocks become one.
std::int64_t count_blocks(const ExecutionPlan& plan);

/// The block that begins at operation `index` of a plan, where one does.
std::optional<Conv2dMaxpoolSigmoidShape> block_at(const ExecutionPlan& plan, std::size_t index);

/// As with_batch() of the plan's shapes.
constexpr Conv2dMaxpoolSigmoidShape with_batch(Conv2dMaxpoolSigmoidShape shape, std::int64_t batch) {
  shape.conv2d.batch = batch;
  return shape;
}

}  // namespace touchstone
