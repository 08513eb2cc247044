// SPDX-License-Identifier: Apache-2.0
#include "host/cpu/network_pass.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <variant>

#include "host/cpu/channels_last.h"
#include "host/cpu/fused_block.h"
#include "host/cpu/partial_sums.h"
#include "host/reference/executor_support.h"
#include "touchstone/conv2d.h"
#include "touchstone/conv2d_maxpool_sigmoid.h"
#include "touchstone/dense.h"
#include "touchstone/maxpool.h"
#include "touchstone/operation_cost.h"
#include "touchstone/operation_recorder.h"
#include "touchstone/sigmoid.h"

namespace touchstone::cpu {

namespace {

/// The part of a core's second-level cache that a group may fill (the smallest in use have 256 KiB), and the most
/// samples in a group: larger ones gain nothing.
constexpr std::int64_t group_bytes = std::int64_t{512} * 1024;
constexpr std::int64_t largest_group = 8;

std::size_t to_size(std::int64_t count) { return static_cast<std::size_t>(count); }

/// Room for the images of `capacity` samples, and a line that may be read beyond.
std::size_t image_room(const ChannelsLast& layout, std::int64_t capacity) {
  return to_size(capacity * layout.floats() + line_floats);
}

}  // namespace

std::int64_t group_size(const ExecutionPlan& plan, bool blocks) {
  std::int64_t floats = plan.input_count;
  for (const FusedOperation& operation : fuse(plan, blocks)) {
    floats += operation.output_count;
  }
  return std::clamp<std::int64_t>(group_bytes / (floats * static_cast<std::int64_t>(sizeof(float))), 1, largest_group);
}

NetworkPass::NetworkPass(const ExecutionPlan& plan, const NetworkParameters& network, std::int64_t capacity)
    : network_(network),
      stages_(network.operations().size()),
      first_with_parameters_(stages_.size()),
      code_stage_(0),
      logits_(to_size(capacity * plan.output_count)),
      labels_(to_size(capacity)) {
  std::size_t largest = logits_.size();
  std::int64_t most_parameters = 0;
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    Stage& stage = stages_[i];
    stage.operation = &network.operations()[i];
    stage.block = std::get_if<Conv2dMaxpoolSigmoidShape>(&stage.operation->shape);
    const bool behind_block = i > 0 && is_block(i - 1);
    if (!(stage.block != nullptr && behind_block)) {
      stage.input.resize(to_size(capacity * stage.operation->input_count + line_floats));
    }
    if (stage.block != nullptr) {
      const ChannelsLast images = input_image(*stage.block);
      stage.prepared.resize(to_size(block_prepared_floats(*stage.block)));
      stage.images.resize(behind_block || images.is_plane() ? 0 : image_room(images, capacity));
      stage.outputs.resize(image_room(output_image(*stage.block), capacity));
      stage.positions.resize(stage.outputs.size());
      largest = std::max({largest, image_room(images, capacity), stage.outputs.size()});
    } else if (std::holds_alternative<MaxpoolShape>(stage.operation->shape)) {
      stage.argmax.resize(to_size(capacity * stage.operation->output_count));
    }
    if (stage.operation->first == plan.code_operation) {
      code_stage_ = i;
    }
    const ParameterSlot& slot = stage.operation->parameters;
    if (slot.bias_count > 0) {
      first_with_parameters_ = std::min(first_with_parameters_, i);
    }
    largest =
        std::max(largest, to_size(capacity * std::max(stage.operation->input_count, stage.operation->output_count)));
    most_parameters = std::max({most_parameters, slot.weights_count, slot.bias_count});
  }
  gradient_.resize(largest);
  grad_input_.resize(largest);
  added_.resize(to_size(most_parameters));
}

const float* NetworkPass::images_of(std::size_t index) const {
  if (index > 0 && is_block(index - 1)) {
    return stages_[index - 1].outputs.data();
  }
  return stages_[index].images.empty() ? stages_[index].input.data() : stages_[index].images.data();
}

void NetworkPass::prepare(const float* parameters, std::uint64_t version) {
  if (version == prepared_version_) {
    return;
  }
  for (Stage& stage : stages_) {
    if (stage.block != nullptr) {
      const ParameterSlot& slot = stage.operation->parameters;
      block_prepare(*stage.block, parameters + slot.weights, parameters + slot.bias, stage.prepared.data(), workspace_);
    }
  }
  prepared_version_ = version;
}

const float* NetworkPass::forward(const float* parameters, std::int64_t batch) {
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    if (is_block(i)) {
      forward_block(batch, i);
    } else {
      forward(parameters, batch, i);
    }
  }
  return logits_.data();
}

void NetworkPass::forward_block(std::int64_t batch, std::size_t index) {
  Stage& stage = stages_[index];
  const OperationScope scope(recorder_, stage.operation->layer,
                             [&] { return cost::forward(with_batch(*stage.block, batch)); });
  if (!stage.images.empty()) {
    to_channels_last(input_image(*stage.block), batch, stage.input.data(), stage.images.data(), workspace_);
  }
  block_forward(with_batch(*stage.block, batch), images_of(index), stage.prepared.data(), stage.outputs.data(),
                stage.positions.data(), workspace_);
  if (!is_block(index + 1)) {
    from_channels_last(output_image(*stage.block), batch, stage.outputs.data(), input_of(index + 1), workspace_);
  }
}

void NetworkPass::forward(const float* parameters, std::int64_t batch, std::size_t index) {
  Stage& stage = stages_[index];
  const float* weights = parameters + stage.operation->parameters.weights;
  const float* bias = parameters + stage.operation->parameters.bias;
  const float* input = stage.input.data();
  float* output = input_of(index + 1);
  const OperationScope scope(recorder_, stage.operation->layer, [&] {
    return std::visit([&](const auto& shape) { return cost::forward(with_batch(shape, batch)); },
                      stage.operation->shape);
  });
  std::visit(
      Overloaded{[&](const Conv2dShape& shape) {
                   conv2d_forward(with_batch(shape, batch), input, weights, bias, output, workspace_);
                 },
                 [](const Conv2dMaxpoolSigmoidShape& /*block*/) {},
                 [&](const MaxpoolShape& shape) {
                   maxpool_forward(with_batch(shape, batch), input, output, stage.argmax.data());
                 },
                 [&](const SigmoidShape& shape) { sigmoid_forward(with_batch(shape, batch).count, input, output); },
                 [&](const DenseShape& shape) {
                   dense_forward(with_batch(shape, batch), input, weights, bias, output, workspace_);
                 }},
      stage.operation->shape);
}

void NetworkPass::backward(const float* parameters, std::int64_t batch, bool add, float* sums) {
  if (!add) {
    std::fill_n(sums, network_.sum_floats(), 0.0F);
  }
  for (std::size_t i = stages_.size(); i-- > first_with_parameters_;) {
    if (is_block(i)) {
      backward_block(batch, i, sums);
      continue;
    }
    if (stages_[i].operation->parameters.bias_count > 0) {
      backward_parameters(batch, i, add, sums);
    }
    if (i > first_with_parameters_) {
      backward_data(parameters, batch, i);
      std::swap(gradient_, grad_input_);
    }
  }
}

void NetworkPass::backward_block(std::int64_t batch, std::size_t index, float* sums) {
  const Workspace::Scope workspace_scope(workspace_);
  const Stage& stage = stages_[index];
  const std::string& layer = stage.operation->layer;
  const Conv2dMaxpoolSigmoidShape shape = with_batch(*stage.block, batch);
  float* sum = sums + network_.sum_begin(index);
  BlockDeltas deltas;
  {
    const OperationScope scope(recorder_, layer, [&] { return cost::backward_weights(shape); });
    if (!is_block(index + 1)) {
      to_channels_last(output_image(shape), batch, gradient_.data(), grad_input_.data(), workspace_);
      std::swap(gradient_, grad_input_);
    }
    const DeltasFor purpose = index > first_with_parameters_ ? DeltasFor::images_and_filters : DeltasFor::filters;
    deltas = block_deltas(shape, gradient_.data(), stage.outputs.data(), stage.positions.data(), purpose, workspace_);
    block_backward_filters(shape, deltas, images_of(index), sum, workspace_);
  }
  {
    const OperationScope scope(recorder_, layer, [&] { return cost::backward_bias(shape); });
    block_backward_bias(shape, deltas, sum);
  }
  if (index > first_with_parameters_) {
    const OperationScope scope(recorder_, layer, [&] { return cost::backward_data(shape); });
    backward_images(shape, deltas, index);
  }
}

void NetworkPass::backward_images(const Conv2dMaxpoolSigmoidShape& shape, const BlockDeltas& deltas,
                                  std::size_t index) {
  block_backward_data(shape, deltas, stages_[index].prepared.data(), grad_input_.data());
  std::swap(gradient_, grad_input_);
  if (!is_block(index - 1)) {
    from_channels_last(input_image(shape), shape.conv2d.batch, gradient_.data(), grad_input_.data(), workspace_);
    std::swap(gradient_, grad_input_);
  }
}

void NetworkPass::backward_data(const float* parameters, std::int64_t batch, std::size_t index) {
  const Stage& stage = stages_[index];
  const float* weights = parameters + stage.operation->parameters.weights;
  const float* gradient = gradient_.data();
  float* grad_input = grad_input_.data();
  const OperationScope scope(recorder_, stage.operation->layer, [&] {
    return std::visit([&](const auto& shape) { return cost::backward_data(with_batch(shape, batch)); },
                      stage.operation->shape);
  });
  std::visit(Overloaded{[&](const Conv2dShape& shape) {
                          conv2d_backward_data(with_batch(shape, batch), gradient, weights, grad_input, workspace_);
                        },
                        [](const Conv2dMaxpoolSigmoidShape& /*block*/) {},
                        [&](const MaxpoolShape& shape) {
                          maxpool_backward(with_batch(shape, batch), gradient, stage.argmax.data(), grad_input);
                        },
                        [&](const SigmoidShape& shape) {
                          sigmoid_backward(with_batch(shape, batch).count, gradient, input_of(index + 1), grad_input);
                        },
                        [&](const DenseShape& shape) {
                          dense_backward_data(with_batch(shape, batch), gradient, weights, grad_input, workspace_);
                        }},
             stage.operation->shape);
}

void NetworkPass::backward_parameters(std::int64_t batch, std::size_t index, bool add, float* sums) {
  const Stage& stage = stages_[index];
  const ParameterSlot& slot = stage.operation->parameters;
  const float* input = stage.input.data();
  const float* gradient = gradient_.data();
  // Runs `compute` on the place of `count` gradients or, to add, on a place apart.
  const auto deliver = [&](bool adds, float* place, std::int64_t count, const auto& cost, const auto& compute) {
    const OperationScope scope(recorder_, stage.operation->layer, cost);
    compute(adds ? added_.data() : place);
    if (adds) {
      const std::array<const float*, 2> partials{place, added_.data()};
      sum_partials(partials, 0, count, place);
    }
  };
  const auto deliver_both = [&](const auto& shape, std::int64_t weights_count, const auto& compute_weights,
                                const auto& compute_bias) {
    const bool adds_weights = add || stage.operation->adds_to_weights_gradient;
    float* weights = sums + network_.weights_sum_begin(index);
    float* bias = sums + network_.sum_begin(index) + whole_lines(slot.weights_count);
    const auto weights_cost = [&] { return cost::backward_weights(shape); };
    const auto bias_cost = [&] { return cost::backward_bias(shape); };
    deliver(adds_weights, weights, weights_count, weights_cost, compute_weights);
    deliver(add, bias, slot.bias_count, bias_cost, compute_bias);
  };
  if (const auto* conv2d = std::get_if<Conv2dShape>(&stage.operation->shape)) {
    const Conv2dShape shape = with_batch(*conv2d, batch);
    deliver_both(
        shape, shape.filters_count(),
        [&](float* to) { conv2d_backward_filters(shape, gradient, input, to, workspace_); },
        [&](float* to) { conv2d_backward_bias(shape, gradient, to, workspace_); });
  } else if (const auto* dense = std::get_if<DenseShape>(&stage.operation->shape)) {
    const DenseShape shape = with_batch(*dense, batch);
    deliver_both(
        shape, shape.weights_count(),
        [&](float* to) { dense_backward_weights(shape, gradient, input, to, workspace_); },
        [&](float* to) { dense_backward_bias(shape, gradient, to, workspace_); });
  }
}

}  // namespace touchstone::cpu
