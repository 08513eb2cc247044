// SPDX-License-Identifier: Apache-2.0
//
// The fused block of convolution, max-pool and sigmoid in float32, in the pieces of fused_block.h.
//
// Forward keeps the convolution's sums for all positions of a few windows in registers, pools them there, and takes the
// sigmoid of what is left (block_forward-inl.h); where it pays, two rows of sums at a time come by Winograd's method.
// Backward, delta = grad_output * s * (1 - s) counts at one position of each window, a pool*pool-th of the
// convolution's output, and only there is multiplied (block_backward-inl.h).
//
// Images have channels last, so that what a row of taps reads is consecutive, and lanes are filters or channels.
#include "host/cpu/fused_block.h"

#include <array>
#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/cpu/fused_block.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "host/cpu/block_backward-inl.h"
#include "host/cpu/block_deltas-inl.h"
#include "host/cpu/block_filters-inl.h"
#include "host/cpu/block_forward-inl.h"
#include "host/cpu/block_patches-inl.h"
#include "host/cpu/simd-inl.h"
#include "host/cpu/transpose-inl.h"
#include "host/cpu/workspace.h"

HWY_BEFORE_NAMESPACE();
namespace touchstone::cpu {
namespace HWY_NAMESPACE {
namespace {

void forward(const Conv2dMaxpoolSigmoidShape& shape, const float* images, const float* prepared, float* outputs,
             std::uint8_t* positions, Workspace& workspace) {
  const std::int64_t input = input_image(shape).floats();
  const std::int64_t output = output_image(shape).floats();
  for (std::int64_t n = 0; n < shape.conv2d.batch; ++n) {
    const Workspace::Scope scope(workspace);
    forward_sample(shape,
                   {.image = images + n * input,
                    .prepared = prepared,
                    .output = outputs + n * output,
                    .positions = positions + n * output},
                   workspace);
  }
}

std::int64_t surrounded_floats(const Conv2dMaxpoolSigmoidShape& shape) { return SurroundedFilters(shape).floats; }

std::int64_t patch_sum_floats(const Conv2dMaxpoolSigmoidShape& shape) { return PatchLayout(shape).sum_floats(); }

/// Copies an image's rows, which follow each other at `from_pitch` and `to_pitch` floats.
void copy_rows(const float* from, std::int64_t from_pitch, float* to, std::int64_t to_pitch,
               const ChannelsLast& layout) {
  const std::int64_t row = layout.row();
  for (std::int64_t y = 0; y < layout.height; ++y) {
    copy_floats(from, to, row);
    from += from_pitch;
    to += to_pitch;
  }
}

/// to[y][x][c] = planes[c][y][x].
void channels_to_end(const ChannelsLast& layout, const float* planes, float* image, Workspace& workspace) {
  const Workspace::Scope scope(workspace);
  const std::int64_t pixels = layout.height * layout.width;
  if (layout.is_plane()) {
    copy_floats(planes, image, pixels);
    return;
  }
  auto* last = workspace.allocate<float>(pixels * layout.channels);
  transpose(planes, layout.channels, pixels, last);
  copy_rows(last, layout.row(), image, layout.pitch(), layout);
}

void channels_from_end(const ChannelsLast& layout, const float* image, float* planes, Workspace& workspace) {
  const Workspace::Scope scope(workspace);
  if (layout.is_plane()) {
    copy_floats(image, planes, layout.floats());
    return;
  }
  auto* last = workspace.allocate<float>(layout.height * layout.row());
  copy_rows(image, layout.pitch(), last, layout.row(), layout);
  transpose(last, layout.height * layout.width, layout.channels, planes);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace touchstone::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace touchstone::cpu {

namespace {
HWY_EXPORT(prepare);
HWY_EXPORT(forward);
HWY_EXPORT(deltas);
HWY_EXPORT(backward_data);
HWY_EXPORT(backward_filters);
HWY_EXPORT(backward_bias);
HWY_EXPORT(collect);
HWY_EXPORT(surrounded_floats);
HWY_EXPORT(patch_sum_floats);
HWY_EXPORT(channels_to_end);
HWY_EXPORT(channels_from_end);
}  // namespace

std::int64_t block_prepared_floats(const Conv2dMaxpoolSigmoidShape& shape) {
  const std::int64_t filters = whole_lines(shape.conv2d.filters);
  return filters + filters * tap_rows(shape) * shape.conv2d.kernel_w * shape.conv2d.channels +
         HWY_DYNAMIC_DISPATCH(surrounded_floats)(shape) + line_floats;
}

std::int64_t block_gradient_floats(const Conv2dMaxpoolSigmoidShape& shape) {
  return whole_lines(shape.conv2d.filters) +
         whole_lines(shape.conv2d.filters * HWY_DYNAMIC_DISPATCH(patch_sum_floats)(shape));
}

std::array<FloatRange, 2> block_gradient_ranges(const Conv2dMaxpoolSigmoidShape& shape, FilterRange range) {
  const std::int64_t sum = HWY_DYNAMIC_DISPATCH(patch_sum_floats)(shape);
  return {{{.begin = range.begin, .count = range.end - range.begin},
           {.begin = whole_lines(shape.conv2d.filters) + range.begin * sum, .count = (range.end - range.begin) * sum}}};
}

void block_prepare(const Conv2dMaxpoolSigmoidShape& shape, const float* filters, const float* bias, float* prepared,
                   Workspace& workspace) {
  HWY_DYNAMIC_DISPATCH(prepare)(shape, filters, bias, prepared, workspace);
}

void block_forward(const Conv2dMaxpoolSigmoidShape& shape, const float* images, const float* prepared, float* outputs,
                   std::uint8_t* positions, Workspace& workspace) {
  HWY_DYNAMIC_DISPATCH(forward)(shape, images, prepared, outputs, positions, workspace);
}

BlockDeltas block_deltas(const Conv2dMaxpoolSigmoidShape& shape, const float* grad_outputs, const float* outputs,
                         const std::uint8_t* positions, DeltasFor purpose, Workspace& workspace) {
  return HWY_DYNAMIC_DISPATCH(deltas)(shape, grad_outputs, outputs, positions, purpose, workspace);
}

void block_backward_data(const Conv2dMaxpoolSigmoidShape& shape, const BlockDeltas& deltas, const float* prepared,
                         float* grad_images) {
  HWY_DYNAMIC_DISPATCH(backward_data)(shape, deltas, prepared, grad_images);
}

void block_backward_filters(const Conv2dMaxpoolSigmoidShape& shape, const BlockDeltas& deltas, const float* images,
                            float* gradients, Workspace& workspace) {
  HWY_DYNAMIC_DISPATCH(backward_filters)(shape, deltas, images, gradients, workspace);
}

void block_backward_bias(const Conv2dMaxpoolSigmoidShape& shape, const BlockDeltas& deltas, float* gradients) {
  HWY_DYNAMIC_DISPATCH(backward_bias)(shape, deltas, gradients);
}

void block_collect(const Conv2dMaxpoolSigmoidShape& shape, const float* gradients, FilterRange range,
                   float* grad_filters, float* grad_bias, Workspace& workspace) {
  HWY_DYNAMIC_DISPATCH(collect)(shape, gradients, range, grad_filters, grad_bias, workspace);
}

void to_channels_last(const ChannelsLast& layout, std::int64_t batch, const float* planes, float* images,
                      Workspace& workspace) {
  for (std::int64_t n = 0; n < batch; ++n) {
    HWY_DYNAMIC_DISPATCH(channels_to_end)
    (layout, planes + n * layout.height * layout.row(), images + n * layout.floats(), workspace);
  }
}

void from_channels_last(const ChannelsLast& layout, std::int64_t batch, const float* images, float* planes,
                        Workspace& workspace) {
  for (std::int64_t n = 0; n < batch; ++n) {
    HWY_DYNAMIC_DISPATCH(channels_from_end)
    (layout, images + n * layout.floats(), planes + n * layout.height * layout.row(), workspace);
  }
}

}  // namespace touchstone::cpu

#endif  // HWY_ONCE
