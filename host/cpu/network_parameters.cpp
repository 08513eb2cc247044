// SPDX-License-Identifier: Apache-2.0
#include "host/cpu/network_parameters.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <variant>

namespace touchstone::cpu {

namespace {

/// Parameters that make a part where they are not filters of a block: 8 KiB of each array.
constexpr std::int64_t slice_floats = 2048;

}  // namespace

NetworkParameters::NetworkParameters(const ExecutionPlan& plan, bool blocks) : operations_(fuse(plan, blocks)) {
  std::map<std::int64_t, std::int64_t> begin_of;  // where weights are summed, by where they stand among the parameters
  for (std::size_t i = 0; i < operations_.size(); ++i) {
    sum_begins_.push_back(sum_floats_);
    const ParameterSlot& slot = operations_[i].parameters;
    weights_sum_begins_.push_back(begin_of.try_emplace(slot.weights, sum_floats_).first->second);
    if (const auto* block = std::get_if<Conv2dMaxpoolSigmoidShape>(&operations_[i].shape)) {
      add_block(i, *block);
      sum_floats_ += block_gradient_floats(*block);
    } else {
      add_slices(i, slot.weights, slot.weights_count, sum_floats_);
      sum_floats_ += whole_lines(slot.weights_count);
      add_slices(i, slot.bias, slot.bias_count, sum_floats_);
      sum_floats_ += whole_lines(slot.bias_count);
    }
  }
  // The largest first, so that threads that begin with smaller ones take over what is left.
  std::stable_sort(parts_.begin(), parts_.end(), [](const ParameterPart& a, const ParameterPart& b) {
    return a.parameter_count() > b.parameter_count();
  });
}

void NetworkParameters::add_block(std::size_t operation, const Conv2dMaxpoolSigmoidShape& shape) {
  const ParameterSlot& slot = operations_[operation].parameters;
  const std::int64_t filter = shape.conv2d.channels * shape.conv2d.taps();
  const std::int64_t together = filters_together(shape);
  for (std::int64_t k = 0; k < shape.conv2d.filters; k += together) {
    const FilterRange range{.begin = k, .end = std::min(k + together, shape.conv2d.filters)};
    const std::int64_t count = range.end - range.begin;
    ParameterPart part{.operation = operation,
                       .filters = range,
                       .parameters = {{.begin = slot.weights + k * filter, .count = count * filter},
                                      {.begin = slot.bias + k, .count = count}},
                       .sums = {}};
    for (FloatRange sums : block_gradient_ranges(shape, range)) {
      sums.begin += sum_floats_;
      part.sums.push_back(sums);
    }
    parts_.push_back(part);
  }
}

void NetworkParameters::add_slices(std::size_t operation, std::int64_t begin, std::int64_t count,
                                   std::int64_t sum_begin) {
  for (std::int64_t first = 0; first < count; first += slice_floats) {
    const std::int64_t slice = std::min(slice_floats, count - first);
    parts_.push_back({.operation = operation,
                      .filters = {},
                      .parameters = {{.begin = begin + first, .count = slice}},
                      .sums = {{.begin = sum_begin + first, .count = slice}}});
  }
}

void NetworkParameters::collect(const ParameterPart& part, const float* sums, float* gradients,
                                Workspace& workspace) const {
  const FusedOperation& operation = operations_[part.operation];
  if (const auto* block = std::get_if<Conv2dMaxpoolSigmoidShape>(&operation.shape)) {
    block_collect(*block, sums + sum_begins_[part.operation], part.filters, gradients + operation.parameters.weights,
                  gradients + operation.parameters.bias, workspace);
  } else {
    for (std::size_t i = 0; i < part.sums.size(); ++i) {
      std::copy_n(sums + part.sums[i].begin, part.sums[i].count, gradients + part.parameters[i].begin);
    }
  }
}

}  // namespace touchstone::cpu
