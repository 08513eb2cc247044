// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "host/model/safetensors.h"
#include "touchstone/network.h"

namespace touchstone {

/// A parameter tensor of a network: its name and shape in files, its place in the plan's flat vector.
struct ParameterTensor {
  std::string name;                 ///< "conv1.weight"
  std::vector<std::int64_t> shape;  ///< PyTorch's
  std::int64_t offset = 0;          ///< in the flat vector
  std::int64_t count = 0;
};

/// All parameter tensors in plan order: each layer's weight, then its bias. A tied layer has only its bias.
std::vector<ParameterTensor> parameter_tensors(const Network& network);

/// Cuts a flat vector into tensors, each named `prefix` + its name.
void add_tensors(std::span<const double> flat, std::string_view prefix, TensorType type, const Network& network,
                 std::map<std::string, Tensor>& tensors);

/// The reverse. Throws Error "<origin>: ..." naming the tensor that is missing or whose shape does not fit.
std::vector<double> read_tensors(const std::map<std::string, Tensor>& tensors, std::string_view prefix,
                                 const Network& network, std::string_view origin);

}  // namespace touchstone
