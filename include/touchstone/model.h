// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "touchstone/dataset.h"
#include "touchstone/network.h"
#include "touchstone/plan.h"

namespace touchstone {

/// A trained (or fresh) network: its description, its parameters in the plan's flat layout, and the normalisation its
/// input needs. Complete: what `eval` and `predict` need is all in its file.
struct Model {
  Network network;
  Normalisation normalisation;
  std::vector<float> parameters;  ///< [make_plan(network).parameter_floats]

  /// Writes a safetensors file: tensors `<layer>.weight` and `<layer>.bias` in PyTorch's shapes (filters
  /// [K,C,kernel_h,kernel_w], dense [out,in], biases [out]), and the metadata `network` (the TOML text),
  /// `normalisation` ({"mean": m, "std": s}) and `classes`. Written beside and renamed. Throws Error.
  void save(const std::filesystem::path& file) const;

  /// Reads what save() wrote, checking every shape. Throws Error naming the file and what does not fit.
  static Model load(const std::filesystem::path& file);
};

/// The initial parameters of a network in the plan's flat layout, from the seed alone: parameter tensor t (in plan
/// order) takes its values from stream t of RandomPurpose::initialisation.
std::vector<float> initial_parameters(const Network& network, std::uint64_t seed);

/// Reads the parameters in a safetensors file whose tensors have the names and shapes that save() gives them; other
/// metadata is not needed. Throws Error naming the file, the tensor and both shapes.
std::vector<float> load_parameters(const std::filesystem::path& file, const Network& network);

}  // namespace touchstone
