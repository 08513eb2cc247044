// SPDX-License-Identifier: Apache-2.0
//
// The gradients of the fused block. Only the argmax of each window counts: there
// - delta times the filter is added to the gradient by the image, and
// - delta times the patch of the image is added to the gradient by the filter (weighted_patches-inl.h).
// Both in an order that depends on the shape and the samples alone. Included once per instruction set.
#if defined(TOUCHSTONE_HOST_CPU_BLOCK_BACKWARD_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TOUCHSTONE_HOST_CPU_BLOCK_BACKWARD_INL_H_
#undef TOUCHSTONE_HOST_CPU_BLOCK_BACKWARD_INL_H_
#else
#define TOUCHSTONE_HOST_CPU_BLOCK_BACKWARD_INL_H_
#endif

#include <algorithm>
#include <cstdint>

#include <hwy/highway.h>

#include "host/cpu/block_filters-inl.h"
#include "host/cpu/block_patches-inl.h"
#include "host/cpu/channels_last.h"
#include "host/cpu/fused_block.h"
#include "host/cpu/simd-inl.h"
#include "host/cpu/transpose-inl.h"
#include "host/cpu/weighted_patches-inl.h"
#include "host/cpu/workspace.h"

HWY_BEFORE_NAMESPACE();
namespace touchstone::cpu {
namespace HWY_NAMESPACE {

/// All filters that meet at one window are added up in registers, over the pixels that any position of the window
/// reads; as many filters at a time as the cache holds of a tile.
inline void backward_data(const Conv2dMaxpoolSigmoidShape& shape, const BlockDeltas& deltas, const float* prepared,
                          float* grad_images) {
  const Conv2dShape& conv2d = shape.conv2d;
  const ChannelsLast layout = input_image(shape);
  const SurroundedFilters surrounded(shape);
  const float* source = prepared + surrounded_begin(shape) + surrounded.first;
  fill_zero(grad_images, conv2d.batch * layout.floats());
  const std::int64_t runs = conv2d.kernel_h + shape.pool - 1;
  const std::int64_t rows = shape.out_h();
  const std::int64_t row = shape.out_w();
  const auto add_tile = [&](const PatchTile& tile) HWY_ATTR {
    const EvenParts blocks(conv2d.filters, std::max<std::int64_t>(cached_floats / tile.floats(), 1));
    for (std::int64_t block = 0; block < blocks.parts; ++block) {
      WeightedPatches windows{.source = source,
                              .source_pitch = surrounded.pitch,
                              .offsets = deltas.prepared_offsets + blocks.begin(block),
                              .weights = deltas.values + blocks.begin(block),
                              .terms = blocks.size(block),
                              .term_step = 1,
                              .target = nullptr,
                              .target_pitch = layout.pitch(),
                              .next_terms = conv2d.filters,
                              .next_target = shape.pool * conv2d.channels};
      for (std::int64_t n = 0; n < conv2d.batch; ++n) {
        windows.target = grad_images + n * layout.floats();
        for (std::int64_t i = 0; i < rows; ++i) {
          tile.add_each(windows, row);
          windows.offsets += row * conv2d.filters;
          windows.weights += row * conv2d.filters;
          windows.target += shape.pool * layout.pitch();
        }
      }
    }
  };
  for_each_patch_tile(runs, surrounded.row_floats, add_tile);
}

/// Where the parts of a block's gradient stand: biases, then the sums of patches, a filter after another.
inline std::int64_t patches_begin(const Conv2dMaxpoolSigmoidShape& shape) { return whole_lines(shape.conv2d.filters); }

/// Four sums at a time, so that none waits for the one before.
inline void backward_bias(const Conv2dMaxpoolSigmoidShape& shape, const BlockDeltas& deltas, float* gradients) {
  const std::int64_t filters = shape.conv2d.filters;
  const std::int64_t windows = shape.conv2d.batch * shape.windows();
  const std::int64_t lanes = float_lanes();
  for (std::int64_t k = 0; k < filters; k += lanes) {
    const std::int64_t count = std::min(lanes, filters - k);
    const float* values = deltas.values + k;
    const FloatVector zero = hn::Zero(Floats());
    FloatVector sums[] = {load_first(gradients + k, count), zero, zero, zero};
    std::int64_t w = 0;
    for (; w + 4 <= windows; w += 4) {
      for (FloatVector& sum : sums) {
        sum = hn::Add(sum, hn::LoadU(Floats(), values));
        values += filters;
      }
    }
    for (; w < windows; ++w) {
      sums[0] = hn::Add(sums[0], hn::LoadU(Floats(), values));
      values += filters;
    }
    store_first(hn::Add(hn::Add(sums[0], sums[1]), hn::Add(sums[2], sums[3])), gradients + k, count);
  }
}

inline void backward_filters(const Conv2dMaxpoolSigmoidShape& shape, const BlockDeltas& deltas, const float* images,
                             float* gradients, Workspace& workspace) {
  const Workspace::Scope scope(workspace);
  const Conv2dShape& conv2d = shape.conv2d;
  const PatchLayout layout(shape);
  float* sums = gradients + patches_begin(shape);
  float* arranged = allocate_arranged(layout, workspace);
  const std::int64_t windows = shape.windows();
  for (std::int64_t n = 0; n < conv2d.batch; n += layout.samples) {
    const std::int64_t samples = std::min(layout.samples, conv2d.batch - n);
    const float* source = arrange(shape, layout, images + n * input_image(shape).floats(), samples, arranged);
    const std::int64_t first = n * windows * conv2d.filters;
    if (layout.arrangement == PatchArrangement::lookups) {
      Conv2dMaxpoolSigmoidShape part = shape;
      part.conv2d.batch = samples;
      add_window_lookups(part, source, deltas.values + first, deltas.patches + first, sums);
      continue;
    }
    const WeightedPatches problem{.source = source,
                                  .source_pitch = layout.pitch,
                                  .offsets = deltas.patches + first,
                                  .weights = deltas.values + first,
                                  .terms = samples * windows,
                                  .term_step = conv2d.filters,
                                  .target = sums,
                                  .target_pitch = whole_vectors(layout.run_floats),
                                  .next_terms = 1,
                                  .next_target = layout.sum_floats()};
    for_each_patch_tile(layout.runs, layout.run_floats,
                        [&](const PatchTile& tile) HWY_ATTR { tile.add_all(problem, conv2d.filters); });
  }
}

/// From sums [vector of filters][taps][lanes] to filters; where a vector has two windows, their sums are added.
inline void collect_lookups(const Conv2dMaxpoolSigmoidShape& shape, const float* sums, FilterRange range,
                            float* grad_filters, Workspace& workspace) {
  const std::int64_t taps = shape.conv2d.taps();
  const std::int64_t lanes = float_lanes();
  const std::int64_t filters = lanes / windows_of_lookup(shape);
  auto* added = workspace.allocate<float>(taps * filters);
  for (std::int64_t k = range.begin; k < range.end; k += filters) {
    const float* vector = sums + k / filters * taps * lanes;
    for (std::int64_t tap = 0; tap < taps; ++tap) {
      copy_floats(vector + tap * lanes, added + tap * filters, filters);
      for (std::int64_t first = filters; first < lanes; first += filters) {
        add_floats(vector + tap * lanes + first, added + tap * filters, filters);
      }
    }
    transpose(added, taps, filters, grad_filters + k * taps);
  }
}

inline void collect(const Conv2dMaxpoolSigmoidShape& shape, const float* gradients, FilterRange range,
                    float* grad_filters, float* grad_bias, Workspace& workspace) {
  const Workspace::Scope scope(workspace);
  const Conv2dShape& conv2d = shape.conv2d;
  copy_floats(gradients + range.begin, grad_bias + range.begin, range.end - range.begin);
  const PatchLayout layout(shape);
  if (layout.arrangement == PatchArrangement::lookups) {
    collect_lookups(shape, gradients + patches_begin(shape), range, grad_filters, workspace);
    return;
  }
  const std::int64_t row = conv2d.kernel_w * conv2d.channels;
  auto* last = workspace.allocate<float>(conv2d.kernel_h * row);
  for (std::int64_t k = range.begin; k < range.end; ++k) {
    const float* patch = gradients + patches_begin(shape) + k * layout.sum_floats();
    for (std::int64_t p = 0; p < conv2d.kernel_h; ++p) {
      copy_floats(patch + p * layout.row_of_taps, last + p * row, row);
    }
    transpose(last, conv2d.taps(), conv2d.channels, grad_filters + k * conv2d.channels * conv2d.taps());
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace touchstone::cpu
HWY_AFTER_NAMESPACE();

#endif  // toggle
