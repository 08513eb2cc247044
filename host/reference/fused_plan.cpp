// SPDX-License-Identifier: Apache-2.0
#include "host/reference/fused_plan.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <variant>
#include <vector>

namespace touchstone {

namespace {

FusedOperation alone(const ExecutionPlan& plan, std::size_t index) {
  const Operation& operation = plan.operations[index];
  FusedOperation same{.layer = operation.layer,
                      .first = index,
                      .end = index + 1,
                      .shape = {},
                      .parameters = operation.parameters,
                      .input_count = operation.input_count,
                      .output_count = operation.output_count,
                      .adds_to_weights_gradient = operation.adds_to_weights_gradient};
  std::visit([&same](const auto& shape) { same.shape = shape; }, operation.shape);
  return same;
}

/// A fused block addresses what is in one sample and in the filters, surrounded by zeros, with 32 bits; layers with
/// more values than this (64 MiB) stay as they are.
constexpr std::int64_t most_values = std::int64_t{1} << 24;

/// The block that a convolution and a max-pool make with a sigmoid behind them, where they can.
std::optional<Conv2dMaxpoolSigmoidShape> block_of(const Conv2dShape& conv2d, const MaxpoolShape& maxpool) {
  const Conv2dMaxpoolSigmoidShape block{.conv2d = conv2d, .pool = maxpool.kernel_h};
  const bool plain = conv2d.stride_h == 1 && conv2d.stride_w == 1 && conv2d.padding_h == 0 && conv2d.padding_w == 0;
  const bool small = conv2d.input_count() <= most_values && conv2d.filters_count() <= most_values;
  const bool fits = plain && small && (block.pool == 2 || block.pool == 3) && maxpool == block.maxpool();
  return fits ? std::optional(block) : std::nullopt;
}

}  // namespace

std::optional<Conv2dMaxpoolSigmoidShape> block_at(const ExecutionPlan& plan, std::size_t index) {
  const std::vector<Operation>& operations = plan.operations;
  if (index + 2 >= operations.size() || !std::holds_alternative<SigmoidShape>(operations[index + 2].shape)) {
    return std::nullopt;
  }
  if (plan.code_operation == index + 1 || plan.code_operation == index + 2) {
    return std::nullopt;  // what is within a block has no tensor
  }
  const auto* conv2d = std::get_if<Conv2dShape>(&operations[index].shape);
  const auto* maxpool = std::get_if<MaxpoolShape>(&operations[index + 1].shape);
  return conv2d == nullptr || maxpool == nullptr ? std::nullopt : block_of(*conv2d, *maxpool);
}

std::vector<FusedOperation> fuse(const ExecutionPlan& plan, bool blocks) {
  std::vector<FusedOperation> fused;
  for (std::size_t i = 0; i < plan.operations.size(); i = fused.back().end) {
    fused.push_back(alone(plan, i));
    if (const auto block = blocks ? block_at(plan, i) : std::nullopt) {
      fused.back().shape = *block;
      fused.back().end = i + 3;
      fused.back().output_count = block->output_count();
    }
  }
  return fused;
}

std::int64_t count_blocks(const ExecutionPlan& plan) {
  const std::vector<FusedOperation> operations = fuse(plan);
  return std::count_if(operations.begin(), operations.end(), [](const FusedOperation& operation) {
    return std::holds_alternative<Conv2dMaxpoolSigmoidShape>(operation.shape);
  });
}

}  // namespace touchstone
