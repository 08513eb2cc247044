// SPDX-License-Identifier: Apache-2.0
//
// Convolution, max-pool and sigmoid as one block, and its gradients, in float32. Formulas and layouts:
// Conv2dMaxpoolSigmoidShape. The work is done on images with channels last (fused_block.h); here are the steps from and
// to planes, a few samples at a time.
#include "touchstone/conv2d_maxpool_sigmoid.h"

#include <algorithm>
#include <cstdint>

#include "host/cpu/channels_last.h"
#include "host/cpu/fused_block.h"
#include "host/cpu/workspace.h"

namespace touchstone::cpu {

namespace {

/// Samples that are computed together.
constexpr std::int64_t samples_at_once = 8;

/// Calls function(shape of some samples, index of the first) for all samples.
template <class Function>
void for_each_group(const Conv2dMaxpoolSigmoidShape& shape, Function function) {
  for (std::int64_t first = 0; first < shape.conv2d.batch; first += samples_at_once) {
    Conv2dMaxpoolSigmoidShape group = shape;
    group.conv2d.batch = std::min(samples_at_once, shape.conv2d.batch - first);
    function(group, first);
  }
}

/// Room for the images of a group, and a line that may be read beyond; zeros.
template <class T>
T* allocate_images(const ChannelsLast& layout, Workspace& workspace) {
  const std::int64_t count = samples_at_once * layout.floats() + line_floats;
  T* images = workspace.allocate<T>(count);
  std::fill_n(images, count, T{});
  return images;
}

FilterRange all_filters(const Conv2dMaxpoolSigmoidShape& shape) { return {.begin = 0, .end = shape.conv2d.filters}; }

float* prepare_all(const Conv2dMaxpoolSigmoidShape& shape, const float* filters, const float* bias,
                   Workspace& workspace) {
  const std::int64_t floats = block_prepared_floats(shape);
  auto* prepared = workspace.allocate<float>(floats);
  std::fill_n(prepared, floats, 0.0F);
  block_prepare(shape, filters, bias, prepared, workspace);
  return prepared;
}

/// to[k][window] from bytes that lie as the outputs do, and back.
struct PositionOrder {
  ChannelsLast layout;

  template <class Function>
  void for_each(Function function) const {
    std::int64_t plane = 0;
    for (std::int64_t k = 0; k < layout.channels; ++k) {
      for (std::int64_t y = 0; y < layout.height; ++y) {
        for (std::int64_t x = 0; x < layout.width; ++x) {
          function(plane++, y * layout.pitch() + x * layout.channels + k);
        }
      }
    }
  }
};

/// The deltas of a group of samples, from planes.
class GroupDeltas {
 public:
  GroupDeltas(const Conv2dMaxpoolSigmoidShape& shape, DeltasFor purpose, Workspace& workspace)
      : purpose_(purpose),
        layout_(output_image(shape)),
        outputs_(shape.conv2d.filters * shape.windows()),
        gradients_(allocate_images<float>(layout_, workspace)),
        activations_(allocate_images<float>(layout_, workspace)),
        positions_(allocate_images<std::uint8_t>(layout_, workspace)),
        workspace_(workspace) {}

  BlockDeltas compute(const Conv2dMaxpoolSigmoidShape& group, std::int64_t first, const float* grad_output,
                      const float* output, const std::uint8_t* argmax) {
    const std::int64_t batch = group.conv2d.batch;
    to_channels_last(layout_, batch, grad_output + first * outputs_, gradients_, workspace_);
    to_channels_last(layout_, batch, output + first * outputs_, activations_, workspace_);
    for (std::int64_t n = 0; n < batch; ++n) {
      const std::uint8_t* from = argmax + (first + n) * outputs_;
      PositionOrder{layout_}.for_each(
          [&](std::int64_t plane, std::int64_t place) { positions_[n * layout_.floats() + place] = from[plane]; });
    }
    return block_deltas(group, gradients_, activations_, positions_, purpose_, workspace_);
  }

 private:
  DeltasFor purpose_;
  ChannelsLast layout_;
  std::int64_t outputs_;  // of a sample
  float* gradients_;
  float* activations_;
  std::uint8_t* positions_;
  Workspace& workspace_;
};

/// The gradient by filters and biases in the block's own order; zeros.
float* allocate_gradients(const Conv2dMaxpoolSigmoidShape& shape, Workspace& workspace) {
  const std::int64_t floats = block_gradient_floats(shape);
  auto* gradients = workspace.allocate<float>(floats);
  std::fill_n(gradients, floats, 0.0F);
  return gradients;
}

}  // namespace

void conv2d_maxpool_sigmoid_forward(const Conv2dMaxpoolSigmoidShape& shape, const float* input, const float* filters,
                                    const float* bias, float* output, std::uint8_t* argmax, Workspace& workspace) {
  shape.validate();
  const Workspace::Scope scope(workspace);
  const ChannelsLast layout = input_image(shape);
  const ChannelsLast out = output_image(shape);
  const float* prepared = prepare_all(shape, filters, bias, workspace);
  auto* images = allocate_images<float>(layout, workspace);
  auto* outputs = allocate_images<float>(out, workspace);
  auto* positions = allocate_images<std::uint8_t>(out, workspace);
  for_each_group(shape, [&](const Conv2dMaxpoolSigmoidShape& group, std::int64_t first) {
    const Workspace::Scope group_scope(workspace);
    const std::int64_t batch = group.conv2d.batch;
    const std::int64_t out_count = out.height * out.row();
    to_channels_last(layout, batch, input + first * layout.height * layout.row(), images, workspace);
    block_forward(group, images, prepared, outputs, positions, workspace);
    from_channels_last(out, batch, outputs, output + first * out_count, workspace);
    for (std::int64_t n = 0; n < batch; ++n) {
      std::uint8_t* to = argmax + (first + n) * out_count;
      PositionOrder{out}.for_each(
          [&](std::int64_t plane, std::int64_t place) { to[plane] = positions[n * out.floats() + place]; });
    }
  });
}

void conv2d_maxpool_sigmoid_backward_data(const Conv2dMaxpoolSigmoidShape& shape, const float* grad_output,
                                          const float* output, const std::uint8_t* argmax, const float* filters,
                                          float* grad_input, Workspace& workspace) {
  shape.validate();
  const Workspace::Scope scope(workspace);
  const ChannelsLast layout = input_image(shape);
  const float* prepared = prepare_all(shape, filters, nullptr, workspace);
  auto* grad_images = allocate_images<float>(layout, workspace);
  GroupDeltas deltas(shape, DeltasFor::images_and_filters, workspace);
  for_each_group(shape, [&](const Conv2dMaxpoolSigmoidShape& group, std::int64_t first) {
    const Workspace::Scope group_scope(workspace);
    block_backward_data(group, deltas.compute(group, first, grad_output, output, argmax), prepared, grad_images);
    from_channels_last(layout, group.conv2d.batch, grad_images, grad_input + first * layout.height * layout.row(),
                       workspace);
  });
}

void conv2d_maxpool_sigmoid_backward_filters(const Conv2dMaxpoolSigmoidShape& shape, const float* grad_output,
                                             const float* output, const std::uint8_t* argmax, const float* input,
                                             float* grad_filters, Workspace& workspace) {
  shape.validate();
  const Workspace::Scope scope(workspace);
  float* gradients = allocate_gradients(shape, workspace);
  const ChannelsLast layout = input_image(shape);
  auto* images = allocate_images<float>(layout, workspace);
  GroupDeltas deltas(shape, DeltasFor::filters, workspace);
  for_each_group(shape, [&](const Conv2dMaxpoolSigmoidShape& group, std::int64_t first) {
    const Workspace::Scope group_scope(workspace);
    to_channels_last(layout, group.conv2d.batch, input + first * layout.height * layout.row(), images, workspace);
    block_backward_filters(group, deltas.compute(group, first, grad_output, output, argmax), images, gradients,
                           workspace);
  });
  auto* grad_bias = workspace.allocate<float>(shape.conv2d.filters);
  block_collect(shape, gradients, all_filters(shape), grad_filters, grad_bias, workspace);
}

void conv2d_maxpool_sigmoid_backward_bias(const Conv2dMaxpoolSigmoidShape& shape, const float* grad_output,
                                          const float* output, float* grad_bias, Workspace& workspace) {
  shape.validate();
  const Workspace::Scope scope(workspace);
  float* gradients = allocate_gradients(shape, workspace);
  auto* argmax = workspace.allocate<std::uint8_t>(shape.output_count());  // whatever it is, the sum is the same
  std::fill_n(argmax, shape.output_count(), std::uint8_t{0});
  GroupDeltas deltas(shape, DeltasFor::filters, workspace);
  for_each_group(shape, [&](const Conv2dMaxpoolSigmoidShape& group, std::int64_t first) {
    const Workspace::Scope group_scope(workspace);
    block_backward_bias(group, deltas.compute(group, first, grad_output, output, argmax), gradients);
  });
  auto* grad_filters = workspace.allocate<float>(shape.filters_count());
  block_collect(shape, gradients, all_filters(shape), grad_filters, grad_bias, workspace);
}

}  // namespace touchstone::cpu
