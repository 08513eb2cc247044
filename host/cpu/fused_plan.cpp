// SPDX-License-Identifier: Apache-2.0
#include "host/cpu/fused_plan.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <variant>

#include "host/cpu/winograd.h"

namespace touchstone::cpu {

namespace {

FusedOperation alone(const Operation& operation) {
  FusedOperation same{.layer = operation.layer,
                      .shape = {},
                      .parameters = operation.parameters,
                      .input_count = operation.input_count,
                      .output_count = operation.output_count};
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

/// The block that begins at operation i, where one does.
std::optional<Conv2dMaxpoolSigmoidShape> block_at(const std::vector<Operation>& operations, std::size_t i) {
  if (i + 2 >= operations.size() || !std::holds_alternative<SigmoidShape>(operations[i + 2].shape)) {
    return std::nullopt;
  }
  const auto* conv2d = std::get_if<Conv2dShape>(&operations[i].shape);
  const auto* maxpool = std::get_if<MaxpoolShape>(&operations[i + 1].shape);
  return conv2d == nullptr || maxpool == nullptr ? std::nullopt : block_of(*conv2d, *maxpool);
}

}  // namespace

std::vector<FusedOperation> fuse(const ExecutionPlan& plan, bool blocks) {
  std::vector<FusedOperation> fused;
  for (std::size_t i = 0; i < plan.operations.size(); ++i) {
    const Operation& first = plan.operations[i];
    if (const auto block = blocks ? block_at(plan.operations, i) : std::nullopt) {
      fused.push_back({.layer = first.layer,
                       .shape = *block,
                       .parameters = first.parameters,
                       .input_count = first.input_count,
                       .output_count = block->output_count()});
      i += 2;
    } else {
      fused.push_back(alone(first));
    }
  }
  return fused;
}

bool sums_by_winograd(const ExecutionPlan& plan, std::size_t index) {
  const auto block = block_at(plan.operations, index);
  return block && uses_winograd(*block);
}

}  // namespace touchstone::cpu
