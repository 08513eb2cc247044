// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "touchstone/conv2d.h"
#include "touchstone/dense.h"
#include "touchstone/loss.h"
#include "touchstone/maxpool.h"

namespace touchstone {

class Network;

/// A sigmoid over `count` values per sample.
struct SigmoidShape {
  std::int64_t count = 1;

  bool operator==(const SigmoidShape&) const = default;
};

/// Where a layer's weights and bias stand in the flat parameter vector, in floats. Of a tied dense layer, `weights` is
/// where those of the other layer stand, and weights_count is 0.
struct ParameterSlot {
  std::int64_t weights = 0;
  std::int64_t weights_count = 0;
  std::int64_t bias = 0;
  std::int64_t bias_count = 0;
};

/// One operation of the forward pass. Shapes are those of a single sample (batch = 1).
struct Operation {
  std::string layer;  ///< the name of the layer it comes from
  std::variant<Conv2dShape, MaxpoolShape, SigmoidShape, DenseShape> shape;
  ParameterSlot parameters;      ///< conv2d and dense only; all zero elsewhere
  std::int64_t input_count = 0;  ///< values per sample it reads
  std::int64_t output_count = 0;
  /// Whether a later operation has the same weights: backwards it comes first, and this one's gradient is added.
  bool adds_to_weights_gradient = false;
};

/// What an executor runs: the operations in order, from normalised image to logits (or to a reconstruction, where this
/// says logits), and the place of each parameter.
///
/// Derived from a Network: flatten vanishes (it changes no memory), and a sigmoid that directly precedes a max-pool is
/// moved behind it. A monotone activation commutes with the maximum, a quarter of the exponentials remain, and every
/// device picks the argmax among the pre-activations (distinct ones can round to one activation).
struct ExecutionPlan {
  std::vector<Operation> operations;
  Loss loss = Loss::softmax_cross_entropy;
  std::int64_t input_count = 0;   ///< values of one sample: C*H*W
  std::int64_t output_count = 0;  ///< values of what the last operation puts out for it
  std::int64_t classes = 0;       ///< labels are below this; 0 where the loss has no use for them
  /// The operation whose input is a sample's code: what the layer Network::code_layer() puts out.
  std::size_t code_operation = 0;
  /// Length of the flat parameter vector. Each tensor starts at a multiple of parameter_alignment; the gaps hold zeros
  /// and stay zero.
  std::int64_t parameter_floats = 0;
};

/// Each parameter tensor starts at a multiple of so many floats (64 bytes).
inline constexpr std::int64_t parameter_alignment = 16;

/// The plan of a network.
ExecutionPlan make_plan(const Network& network);

}  // namespace touchstone
