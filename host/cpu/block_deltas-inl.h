// SPDX-License-Identifier: Apache-2.0
//
// What the fused block's backward pass needs of each window and filter: delta, and where its argmax leads. Included
// once per instruction set.
#if defined(TOUCHSTONE_HOST_CPU_BLOCK_DELTAS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TOUCHSTONE_HOST_CPU_BLOCK_DELTAS_INL_H_
#undef TOUCHSTONE_HOST_CPU_BLOCK_DELTAS_INL_H_
#else
#define TOUCHSTONE_HOST_CPU_BLOCK_DELTAS_INL_H_
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include <hwy/highway.h>

#include "host/cpu/block_filters-inl.h"
#include "host/cpu/block_patches-inl.h"
#include "host/cpu/channels_last.h"
#include "host/cpu/fused_block.h"
#include "host/cpu/sigmoid-inl.h"
#include "host/cpu/simd-inl.h"
#include "host/cpu/workspace.h"

HWY_BEFORE_NAMESPACE();
namespace touchstone::cpu {
namespace HWY_NAMESPACE {

/// a * step_a + b * step_b for the positions a * pool + b.
template <std::size_t pool>
class PositionSteps {
 public:
  PositionSteps(std::int64_t step_a, std::int64_t step_b) : step_a_(step_a), step_b_(step_b) {
    for (std::size_t position = 0; position < pool * pool; ++position) {
      table_[position] = static_cast<std::int32_t>(static_cast<std::int64_t>(position / pool) * step_a +
                                                   static_cast<std::int64_t>(position % pool) * step_b);
    }
  }

  [[nodiscard]] HWY_INLINE hn::Vec<Integers> operator()(hn::Vec<Integers> positions) const {
    const Integers d;
    const auto integer = [d](std::int64_t value) HWY_ATTR { return hn::Set(d, static_cast<std::int32_t>(value)); };
    if constexpr (hn::MaxLanes(d) >= table_size) {
      return hn::TableLookupLanes(hn::Load(d, table_), hn::IndicesFromVec(d, positions));
    } else if constexpr (pool == 2) {  // masks of all bits for a = 1 and b = 1
      const hn::Vec<Integers> zero = hn::Zero(d);
      const hn::Vec<Integers> a = hn::Sub(zero, hn::ShiftRight<1>(positions));
      const hn::Vec<Integers> b = hn::Sub(zero, hn::And(positions, integer(1)));
      return hn::Add(hn::And(a, integer(step_a_)), hn::And(b, integer(step_b_)));
    } else {  // positions below 9 divided by 3: 11/32 is a little more than a third
      const hn::Vec<Integers> a = hn::ShiftRight<5>(hn::Mul(positions, integer(11)));
      return hn::Add(hn::Mul(a, integer(step_a_ - 3 * step_b_)), hn::Mul(positions, integer(step_b_)));
    }
  }

 private:
  static constexpr std::size_t table_size = 16;  // at least pool * pool

  std::int64_t step_a_;
  std::int64_t step_b_;
  alignas(64) std::int32_t table_[table_size] = {};
};

/// offsets[j][k] = offset(j, k) for the windows j of a row and the filters k.
template <class Offset>
std::int32_t* row_offsets(const Conv2dMaxpoolSigmoidShape& shape, Offset offset, Workspace& workspace) {
  auto* offsets = workspace.allocate<std::int32_t>(shape.out_w() * shape.conv2d.filters + line_floats);
  std::int32_t* to = offsets;
  for (std::int64_t j = 0; j < shape.out_w(); ++j) {
    for (std::int64_t k = 0; k < shape.conv2d.filters; ++k) {
      *to++ = static_cast<std::int32_t>(offset(j, k));
    }
  }
  std::fill_n(to, line_floats, 0);
  return offsets;
}

/// Vectors run beyond the end of a row of windows: what they leave there is written by the next, or is not used.
template <std::size_t pool>
BlockDeltas pooled_deltas(const Conv2dMaxpoolSigmoidShape& shape, const float* grad_outputs, const float* outputs,
                          const std::uint8_t* positions, DeltasFor purpose, Workspace& workspace) {
  const Integers di;
  const hn::Rebind<std::uint8_t, Floats> d8;
  const ChannelsLast layout = output_image(shape);
  const PatchLayout patch(shape);
  const SurroundedFilters surrounded(shape);
  const bool data = purpose == DeltasFor::images_and_filters;
  const std::int64_t count = shape.output_count() + line_floats;
  auto* values = workspace.allocate<float>(count);
  auto* patches = workspace.allocate<std::int32_t>(count);
  auto* filters = data ? workspace.allocate<std::int32_t>(count) : nullptr;
  const bool lookups = patch.arrangement == PatchArrangement::lookups;
  const std::int32_t* window_patches = row_offsets(
      shape,
      [&](std::int64_t j, std::int64_t /*k*/) {
        return lookups ? j % windows_of_lookup(shape) * shape.pool : j * patch.window;
      },
      workspace);
  const std::int32_t* window_filters = row_offsets(
      shape, [&](std::int64_t /*j*/, std::int64_t k) { return k * surrounded.filter; }, workspace);
  const PositionSteps<pool> patch_steps(patch.step_a, patch.step_b);
  const PositionSteps<pool> filter_steps(surrounded.step_a, surrounded.step_b);
  const std::int64_t row = layout.row();
  std::int64_t begin = 0;
  std::int64_t place = 0;
  for (std::int64_t n = 0; n < shape.conv2d.batch; ++n) {
    for (std::int64_t i = 0; i < layout.height; ++i) {
      const hn::Vec<Integers> patch_row =
          hn::Set(di, static_cast<std::int32_t>(lookups ? 0 : n % patch.samples * patch.image + i * patch.window_row));
      for (std::int64_t x = 0; x < row; x += float_lanes()) {
        const FloatVector gradient = hn::LoadU(Floats(), grad_outputs + begin + x);
        hn::StoreU(sigmoid_gradient(gradient, hn::LoadU(Floats(), outputs + begin + x)), Floats(), values + place + x);
        const hn::Vec<Integers> position = hn::PromoteTo(di, hn::LoadU(d8, positions + begin + x));
        const hn::Vec<Integers> window = hn::Add(patch_row, hn::Load(di, window_patches + x));
        hn::StoreU(hn::Add(window, patch_steps(position)), di, patches + place + x);
        if (data) {
          hn::StoreU(hn::Add(hn::Load(di, window_filters + x), filter_steps(position)), di, filters + place + x);
        }
      }
      begin += layout.pitch();
      place += row;
    }
  }
  return {.values = values, .patches = patches, .prepared_offsets = filters};
}

inline BlockDeltas deltas(const Conv2dMaxpoolSigmoidShape& shape, const float* grad_outputs, const float* outputs,
                          const std::uint8_t* positions, DeltasFor purpose, Workspace& workspace) {
  return shape.pool == 2 ? pooled_deltas<2>(shape, grad_outputs, outputs, positions, purpose, workspace)
                         : pooled_deltas<3>(shape, grad_outputs, outputs, positions, purpose, workspace);
}

}  // namespace HWY_NAMESPACE
}  // namespace touchstone::cpu
HWY_AFTER_NAMESPACE();

#endif  // toggle
