// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>

#include "host/cpu/channels_last.h"
#include "host/cpu/workspace.h"
#include "touchstone/conv2d_maxpool_sigmoid.h"

/// The fused block of convolution, max-pool and sigmoid on images with channels last, in the pieces that a training
/// step needs: what depends on the filters alone is prepared once a step, and gradients by the filters are summed over
/// samples before they are brought into the filters' own order. Serial; filters may be collected a range at a time,
/// which then begins at a multiple of filters_together().
namespace touchstone::cpu {

/// Filters that are collected together: of one channel, those whose gradients a vector may hold at once.
constexpr std::int64_t filters_together(const Conv2dMaxpoolSigmoidShape& shape) {
  return shape.conv2d.channels == 1 ? line_floats : line_floats / 2;
}

/// Floats of what block_prepare() makes of all filters.
std::int64_t block_prepared_floats(const Conv2dMaxpoolSigmoidShape& shape);

/// Floats of the gradient by all filters and biases as block_backward_parameters() sums it.
std::int64_t block_gradient_floats(const Conv2dMaxpoolSigmoidShape& shape);

/// A range of filters.
struct FilterRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;
};

/// A range of floats.
struct FloatRange {
  std::int64_t begin = 0;
  std::int64_t count = 0;
};

/// Where the gradients by the biases and by the filters of a range stand in the gradient by all.
std::array<FloatRange, 2> block_gradient_ranges(const Conv2dMaxpoolSigmoidShape& shape, FilterRange range);

/// Brings the filters and their biases (nullptr: zeros) into the orders that the passes read. `prepared` is zeros
/// before its first use.
void block_prepare(const Conv2dMaxpoolSigmoidShape& shape, const float* filters, const float* bias, float* prepared,
                   Workspace& workspace);

/// From images [batch] to outputs [batch] and positions, which lie as the outputs do.
void block_forward(const Conv2dMaxpoolSigmoidShape& shape, const float* images, const float* prepared, float* outputs,
                   std::uint8_t* positions, Workspace& workspace);

/// What the backward pass makes of the gradient by the outputs: per sample, window and filter delta and where the
/// position leads. Lives in the workspace that it was made in.
struct BlockDeltas {
  const float* values = nullptr;          // [batch][windows][filters]
  const std::int32_t* patches = nullptr;  // the same: where in the image, as arranged, the window's patch begins
  const std::int32_t* prepared_offsets = nullptr;  // the same: where in the prepared filters the filter's patch begins
};

/// Which gradients are going to be computed: for filters and biases alone there are no prepared_offsets.
enum class DeltasFor : std::uint8_t { filters, images_and_filters };

BlockDeltas block_deltas(const Conv2dMaxpoolSigmoidShape& shape, const float* grad_outputs, const float* outputs,
                         const std::uint8_t* positions, DeltasFor purpose, Workspace& workspace);

/// The gradient by the images.
void block_backward_data(const Conv2dMaxpoolSigmoidShape& shape, const BlockDeltas& deltas, const float* prepared,
                         float* grad_images);

/// Adds the gradient by the filters to `gradients` [block_gradient_floats()].
void block_backward_filters(const Conv2dMaxpoolSigmoidShape& shape, const BlockDeltas& deltas, const float* images,
                            float* gradients, Workspace& workspace);

/// Adds the gradient by the biases to `gradients` [block_gradient_floats()].
void block_backward_bias(const Conv2dMaxpoolSigmoidShape& shape, const BlockDeltas& deltas, float* gradients);

/// Brings the gradients by the filters and biases of a range into their own order.
void block_collect(const Conv2dMaxpoolSigmoidShape& shape, const float* gradients, FilterRange range,
                   float* grad_filters, float* grad_bias, Workspace& workspace);

/// Between images [channels][height][width] and channels last, `batch` of them.
void to_channels_last(const ChannelsLast& layout, std::int64_t batch, const float* planes, float* images,
                      Workspace& workspace);
void from_channels_last(const ChannelsLast& layout, std::int64_t batch, const float* images, float* planes,
                        Workspace& workspace);

}  // namespace touchstone::cpu
