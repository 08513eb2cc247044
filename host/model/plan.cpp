// SPDX-License-Identifier: Apache-2.0
#include "touchstone/plan.h"

#include <iterator>
#include <utility>
#include <vector>

#include "touchstone/network.h"

namespace touchstone {
namespace {

/// Turns layers into operations one by one.
class PlanBuilder {
 public:
  explicit PlanBuilder(const Network& network) {
    plan_.input_count = network.input().count();
    plan_.loss = network.loss();
    plan_.output_count = network.output_count();
    plan_.classes = network.classes();
    const std::vector<Layer>& layers = network.layers();
    for (std::size_t i = 0; i < layers.size(); ++i) {
      layer_ = &layers[i];
      std::visit([this](const auto& kind) { add(kind); }, layer_->kind);
      if (i == network.code_layer()) plan_.code_operation = plan_.operations.size();
    }
  }

  ExecutionPlan take() { return std::move(plan_); }

 private:
  void add(const Conv2dLayer& conv) {
    const ImageShape& input = layer_->input;
    const Conv2dShape shape{.channels = input.channels,
                            .height = input.height,
                            .width = input.width,
                            .filters = conv.filters,
                            .kernel_h = conv.kernel.h,
                            .kernel_w = conv.kernel.w,
                            .stride_h = conv.stride.h,
                            .stride_w = conv.stride.w,
                            .padding_h = conv.padding.h,
                            .padding_w = conv.padding.w};
    append({layer_->name, shape, reserve(shape.filters_count(), shape.filters), shape.input_count(),
            shape.output_count()});
  }

  void add(const SigmoidLayer&) {
    const std::int64_t count = layer_->input.count();
    append({layer_->name, SigmoidShape{count}, {}, count, count});
  }

  void add(const Maxpool2dLayer& pool) {
    const ImageShape& input = layer_->input;
    const MaxpoolShape shape{.channels = input.channels,
                             .height = input.height,
                             .width = input.width,
                             .kernel_h = pool.kernel.h,
                             .kernel_w = pool.kernel.w,
                             .stride_h = pool.stride.h,
                             .stride_w = pool.stride.w,
                             .padding_h = pool.padding.h,
                             .padding_w = pool.padding.w};
    auto place = plan_.operations.end();
    while (place != plan_.operations.begin() && std::holds_alternative<SigmoidShape>(std::prev(place)->shape)) {
      --place;
      *place = {place->layer, SigmoidShape{shape.output_count()}, {}, shape.output_count(), shape.output_count()};
    }
    plan_.operations.insert(place, {layer_->name, shape, {}, shape.input_count(), shape.output_count()});
  }

  void add(const FlattenLayer&) {}

  void add(const DenseLayer& dense) {
    const bool tied = !dense.tied_to.empty();
    const DenseShape shape{
        .in_features = layer_->input.count(), .out_features = dense.units, .transposed_weights = tied};
    ParameterSlot slot = reserve(tied ? 0 : shape.weights_count(), shape.out_features);
    if (tied) slot.weights = share_weights(dense.tied_to);
    append({layer_->name, shape, slot, shape.in_features, shape.out_features});
  }

  /// Where the weights of the layer `owner` stand, which the operation about to be added shares.
  std::int64_t share_weights(const std::string& owner) {
    std::int64_t weights = 0;
    for (Operation& operation : plan_.operations) {
      if (operation.layer == owner) weights = operation.parameters.weights;
    }
    // Backwards, the last of those that share comes first: it alone does not add.
    for (Operation& operation : plan_.operations) {
      const auto* dense = std::get_if<DenseShape>(&operation.shape);
      if (dense != nullptr && operation.parameters.weights == weights) operation.adds_to_weights_gradient = true;
    }
    return weights;
  }

  void append(Operation operation) { plan_.operations.push_back(std::move(operation)); }

  /// Places for weights and bias at the end of the parameter vector.
  ParameterSlot reserve(std::int64_t weights, std::int64_t bias) {
    const auto aligned = [](std::int64_t floats) {
      return (floats + parameter_alignment - 1) / parameter_alignment * parameter_alignment;
    };
    const std::int64_t start = plan_.parameter_floats;
    plan_.parameter_floats = start + aligned(weights) + aligned(bias);
    return {.weights = start, .weights_count = weights, .bias = start + aligned(weights), .bias_count = bias};
  }

  ExecutionPlan plan_;
  const Layer* layer_ = nullptr;
};

}  // namespace

ExecutionPlan make_plan(const Network& network) { return PlanBuilder(network).take(); }

}  // namespace touchstone
