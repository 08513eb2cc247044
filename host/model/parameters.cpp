// SPDX-License-Identifier: Apache-2.0
#include "host/model/parameters.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <variant>

#include <fmt/format.h>

#include "touchstone/error.h"
#include "touchstone/model.h"
#include "touchstone/plan.h"
#include "touchstone/random.h"

namespace touchstone {
namespace {

/// How many inputs one output of the operation sums over, and how many outputs one input feeds (stride 1).
struct Fan {
  double in = 0;
  double out = 0;
};

Fan fan(const Operation& operation) {
  if (const auto* conv = std::get_if<Conv2dShape>(&operation.shape)) {
    return {static_cast<double>(conv->channels * conv->taps()), static_cast<double>(conv->filters * conv->taps())};
  }
  const auto& dense = std::get<DenseShape>(operation.shape);
  return {static_cast<double>(dense.in_features), static_cast<double>(dense.out_features)};
}

bool sigmoid_follows(const ExecutionPlan& plan, std::size_t index) {
  do {
    ++index;
  } while (index < plan.operations.size() && std::holds_alternative<MaxpoolShape>(plan.operations[index].shape));
  return index < plan.operations.size() && std::holds_alternative<SigmoidShape>(plan.operations[index].shape);
}

/// The shape of an operation's weights, as PyTorch has it.
std::vector<std::int64_t> weights_shape(const Operation& operation) {
  if (const auto* conv = std::get_if<Conv2dShape>(&operation.shape)) {
    return {conv->filters, conv->channels, conv->kernel_h, conv->kernel_w};
  }
  const auto& dense = std::get<DenseShape>(operation.shape);
  return {dense.out_features, dense.in_features};
}

/// Value `index` of the stream: uniform in [-1, 1).
double symmetric_uniform(std::uint64_t seed, std::uint32_t stream, std::uint64_t index) {
  return 2.0 * static_cast<double>(uniform_float(random_word(seed, RandomPurpose::initialisation, stream, index))) -
         1.0;
}

/// Value `index` of the stream: standard normal, by Box and Muller from words 2*index and 2*index + 1.
double normal(std::uint64_t seed, std::uint32_t stream, std::uint64_t index) {
  const auto word = [&](std::uint64_t i) { return random_word(seed, RandomPurpose::initialisation, stream, i); };
  const double radius = 1.0 - static_cast<double>(uniform_float(word(2 * index)));  // in (0, 1]
  const double angle = static_cast<double>(uniform_float(word(2 * index + 1)));
  return std::sqrt(-2.0 * std::log(radius)) * std::cos(2.0 * std::numbers::pi * angle);
}

}  // namespace

std::vector<float> initial_parameters(const Network& network, std::uint64_t seed) {
  const ExecutionPlan plan = make_plan(network);
  const Initialisation& initialisation = network.initialisation();
  const InitialisationScheme scheme = initialisation.scheme;
  const bool glorot = scheme == InitialisationScheme::glorot_uniform || scheme == InitialisationScheme::glorot_normal;
  const bool uniform = scheme == InitialisationScheme::glorot_uniform || scheme == InitialisationScheme::he_uniform;

  std::vector<float> parameters(static_cast<std::size_t>(plan.parameter_floats), 0.0F);
  std::uint32_t stream = 0;
  for (std::size_t i = 0; i < plan.operations.size(); ++i) {
    const ParameterSlot& slot = plan.operations[i].parameters;
    const bool has_bias = slot.bias_count > 0;  // a tensor of its own, drawn as zeros
    const bool has_weights = slot.weights_count > 0;
    const std::uint32_t weights_stream = stream;
    stream += (has_weights ? 1 : 0) + (has_bias ? 1 : 0);
    if (!has_weights) continue;
    const Fan fans = fan(plan.operations[i]);
    const double gain = initialisation.gain.value_or(sigmoid_follows(plan, i) ? 4.0 : 1.0);
    const double limit = gain * std::sqrt(6.0 / (glorot ? fans.in + fans.out : fans.in));
    const double deviation = limit / std::sqrt(3.0);  // of a uniform number within +-limit
    for (std::int64_t k = 0; k < slot.weights_count; ++k) {
      const auto index = static_cast<std::uint64_t>(k);
      const double value = uniform ? limit * symmetric_uniform(seed, weights_stream, index)
                                   : deviation * normal(seed, weights_stream, index);
      parameters[static_cast<std::size_t>(slot.weights + k)] = static_cast<float>(value);
    }
  }
  return parameters;
}

std::vector<ParameterTensor> parameter_tensors(const Network& network) {
  std::vector<ParameterTensor> tensors;
  for (const Operation& operation : make_plan(network).operations) {
    const ParameterSlot& slot = operation.parameters;
    if (slot.weights_count > 0) {
      tensors.push_back({operation.layer + ".weight", weights_shape(operation), slot.weights, slot.weights_count});
    }
    if (slot.bias_count > 0) {
      tensors.push_back({operation.layer + ".bias", {slot.bias_count}, slot.bias, slot.bias_count});
    }
  }
  return tensors;
}

void add_tensors(std::span<const double> flat, std::string_view prefix, TensorType type, const Network& network,
                 std::map<std::string, Tensor>& tensors) {
  for (const ParameterTensor& parameter : parameter_tensors(network)) {
    const auto values =
        flat.subspan(static_cast<std::size_t>(parameter.offset), static_cast<std::size_t>(parameter.count));
    tensors[std::string(prefix) + parameter.name] = {type, parameter.shape, {values.begin(), values.end()}};
  }
}

std::vector<double> read_tensors(const std::map<std::string, Tensor>& tensors, std::string_view prefix,
                                 const Network& network, std::string_view origin) {
  std::vector<double> flat(static_cast<std::size_t>(make_plan(network).parameter_floats), 0.0);
  for (const ParameterTensor& parameter : parameter_tensors(network)) {
    const auto found = tensors.find(std::string(prefix) + parameter.name);
    if (found == tensors.end()) {
      throw Error(fmt::format("{}: the tensor `{}{}` is missing; the network `{}` needs it with shape [{}]", origin,
                              prefix, parameter.name, network.name(), fmt::join(parameter.shape, ", ")));
    }
    if (found->second.shape != parameter.shape) {
      throw Error(fmt::format("{}: the tensor `{}{}` has shape {}; the network `{}` needs [{}]", origin, prefix,
                              parameter.name, found->second.shape_text(), network.name(),
                              fmt::join(parameter.shape, ", ")));
    }
    std::copy(found->second.values.begin(), found->second.values.end(), flat.begin() + parameter.offset);
  }
  return flat;
}

}  // namespace touchstone
