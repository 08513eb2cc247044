// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "touchstone/device_operations.h"
#include "touchstone/operation_cost.h"

namespace touchstone::bench {

/// An operation at a shape, to be timed.
struct BenchCase {
  OperationCost cost = {};  ///< its name, and what it has to do
  std::string set = {};     ///< where the shape is from: a network's name, "large" or "gaussians"
  std::string shape = {};   ///< "N=64 C=1 28x28 K=8 5x5"
  std::string block = {};   ///< the block of layers that it is a part of, by the block's shape; empty for none
  bool fused = false;       ///< whether it computes the whole block at a time
  bool forward = true;      ///< of a block: else it belongs to the backward pass
  /// Makes inputs from a seed, runs the operation on a device, and returns what it gave: the same inputs each time.
  std::function<std::vector<float>(DeviceOperations& device)> run = {};
};

/// The sets of shapes: the networks that ship, "large" (up to 64 channels of 112x112), and "gaussians".
std::vector<std::string> set_names();

/// The operations of a set: those of a network at `batch` samples; the others have sizes of their own. Throws
/// UsageError for an unknown name.
std::vector<BenchCase> make_cases(const std::string& set, std::int64_t batch, std::uint64_t seed);

/// The names of all operations, in the order of a training step; those on Gaussians behind them.
std::vector<std::string> operation_names();

}  // namespace touchstone::bench
