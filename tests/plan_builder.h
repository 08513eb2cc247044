// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>

#include "touchstone/plan.h"

namespace touchstone::testing {

/// Builds a plan by hand, operation after operation.
class PlanBuilder {
 public:
  explicit PlanBuilder(std::int64_t input_count) : count_(input_count) { plan_.input_count = input_count; }

  PlanBuilder& conv2d(const Conv2dShape& shape) {
    const ParameterSlot parameters = take(shape.filters_count(), shape.filters);
    return add("conv", shape, shape.output_count(), parameters);
  }
  PlanBuilder& maxpool(const MaxpoolShape& shape) { return add("pool", shape, shape.output_count()); }
  PlanBuilder& sigmoid() { return add("sigmoid", SigmoidShape{.count = count_}, count_); }
  PlanBuilder& dense(std::int64_t units) {
    const DenseShape shape{.in_features = count_, .out_features = units};
    const ParameterSlot parameters = take(shape.weights_count(), units);
    return add("dense", shape, units, parameters);
  }
  /// A dense layer with the weights of the operation `owner`, transposed.
  PlanBuilder& tied_dense(std::size_t owner) {
    const std::int64_t weights = plan_.operations[owner].parameters.weights;
    const std::int64_t units = plan_.operations[owner].input_count;
    for (Operation& other : plan_.operations) {
      const bool shares = std::holds_alternative<DenseShape>(other.shape) && other.parameters.weights == weights;
      other.adds_to_weights_gradient = other.adds_to_weights_gradient || shares;
    }
    const ParameterSlot parameters{.weights = weights, .weights_count = 0, .bias = place(units), .bias_count = units};
    return add("tied", DenseShape{.in_features = count_, .out_features = units, .transposed_weights = true}, units,
               parameters);
  }
  /// The plan of an autoencoder, whose code operation `code` reads.
  [[nodiscard]] ExecutionPlan autoencoder(std::size_t code) const {
    ExecutionPlan result = plan();
    result.loss = Loss::half_squared_error;
    result.classes = 0;
    result.code_operation = code;
    return result;
  }
  [[nodiscard]] ExecutionPlan plan() const {
    ExecutionPlan plan = plan_;
    plan.output_count = count_;
    plan.classes = count_;
    plan.code_operation = plan.operations.size() - 1;
    return plan;
  }

 private:
  template <class Shape>
  PlanBuilder& add(const std::string& layer, const Shape& shape, std::int64_t output_count,
                   const ParameterSlot& parameters = {}) {
    plan_.operations.push_back({.layer = layer,
                                .shape = shape,
                                .parameters = parameters,
                                .input_count = count_,
                                .output_count = output_count});
    count_ = output_count;
    return *this;
  }

  ParameterSlot take(std::int64_t weights_count, std::int64_t bias_count) {
    const std::int64_t weights = place(weights_count);
    return {.weights = weights, .weights_count = weights_count, .bias = place(bias_count), .bias_count = bias_count};
  }

  std::int64_t place(std::int64_t count) {
    const std::int64_t begin = plan_.parameter_floats;
    const std::int64_t end = begin + count;
    plan_.parameter_floats = (end + parameter_alignment - 1) / parameter_alignment * parameter_alignment;
    return begin;
  }

  ExecutionPlan plan_;
  std::int64_t count_;
};

}  // namespace touchstone::testing
