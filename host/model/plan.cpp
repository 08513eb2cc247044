// SPDX-License-Identifier: Apache-2.0
#include "touchstone/plan.h"

#include <iterator>
#include <utility>

#include "touchstone/network.h"

namespace touchstone {
namespace {

/// Turns layers into operations one by one.
class PlanBuilder {
 public:
  explicit PlanBuilder(const Network& network) {
    plan_.input_count = network.input().count();
    plan_.classes = network.classes();
    for (const Layer& layer : network.layers()) {
      layer_ = &layer;
      std::visit([this](const auto& kind) { add(kind); }, layer.kind);
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
    const DenseShape shape{.in_features = layer_->input.count(), .out_features = dense.units};
    append({layer_->name, shape, reserve(shape.weights_count(), shape.out_features), shape.in_features,
            shape.out_features});
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
