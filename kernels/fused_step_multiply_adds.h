// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <type_traits>

#include "kernels/async_copy.h"
#include "kernels/backend.h"
#include "kernels/fused_step_backward.h"
#include "kernels/fused_step_forward.h"
#include "kernels/fused_step_shape.h"
#include "kernels/fused_step_workspace.h"
#include "kernels/vector_access.h"

/// A sample's way through the network and back with products by multiply-adds, for any network that the fused step
/// takes, on any GPU.
namespace touchstone::TOUCHSTONE_BACKEND {

template <int VALUE>
using Constant = std::integral_constant<int, VALUE>;

/// All blocks have this kernel and this pool, and the parameters are in shared memory; with DATA_FILTERS these are too.
template <int KERNEL, int POOL, bool DATA_FILTERS>
struct OneKind {
  static constexpr bool resident = true;
  static constexpr bool data_filters_resident = DATA_FILTERS;
  template <class Stage>
  static __device__ __forceinline__ void with_block(const FusedBlock& /*block*/, const Stage& stage) {
    stage(Constant<KERNEL>(), Constant<POOL>());
  }
};

/// Any blocks; the parameters are where there is room for them.
struct AnyKind {
  static constexpr bool resident = false;
  static constexpr bool data_filters_resident = false;
  template <class Stage>
  static __device__ __forceinline__ void with_block(const FusedBlock& block, const Stage& stage) {
    switch (10 * block.kernel + block.pool) {
      case 12:
        return stage(Constant<1>(), Constant<2>());
      case 13:
        return stage(Constant<1>(), Constant<3>());
      case 32:
        return stage(Constant<3>(), Constant<2>());
      case 33:
        return stage(Constant<3>(), Constant<3>());
      case 52:
        return stage(Constant<5>(), Constant<2>());
      case 53:
        return stage(Constant<5>(), Constant<3>());
      case 72:
        return stage(Constant<7>(), Constant<2>());
      default:
        return stage(Constant<7>(), Constant<3>());
    }
  }
};

/// The form of the fused step for such blocks: what SampleRunner is made of.
template <class Kind>
struct ByMultiplyAdds {
  static constexpr bool compiled = true;
  static constexpr bool resident = Kind::resident;
  static constexpr bool data_filters_resident = Kind::data_filters_resident;

  /// The shape that stages see of the one that a kernel is told.
  static __device__ __forceinline__ const FusedStepShape& shape_of(const FusedStepShape& given) { return given; }

  /// Once, before the first sample.
  static __device__ __forceinline__ void prepare(const FusedStepShape& shape, const FusedWorkspace& work) {
    for (int i = thread_index(); i < shape.delta_floats; i += fused_threads) {
      work.deltas[i] = 0.0F;  // those behind the last filter stay so
    }
  }

  /// Writes four pixels of a row of the image from column x on, a multiple of 4, or one.
  static __device__ __forceinline__ void store_pixels(const FusedBlock& /*first*/, float* row, int x,
                                                      const float4& values) {
    store_vector(row + x, make_float2(values.x, values.y));
    store_vector(row + x + 2, make_float2(values.z, values.w));
  }
  static __device__ __forceinline__ void store_pixel(const FusedBlock& /*first*/, float* row, int x, float value) {
    row[x] = value;
  }

  /// From the pixels to the features. The first group of copies has arrived.
  static __device__ __forceinline__ void forward(const FusedStepShape& shape, const FusedWorkspace& work) {
    for (int i = 0; i < shape.blocks; ++i) {
      const FusedBlock& block = shape.block[static_cast<std::size_t>(i)];
      Kind::with_block(block, [&](auto kernel, auto pool) {
        block_forward<decltype(kernel)::value, decltype(pool)::value>(block, work);
        wait_copies<0>();
        __syncthreads();  // a window's parts, or its value, are there, and all parameters
        if (block.forward_splits > 1) {
          combine_forward<decltype(pool)::value>(block, work);
          __syncthreads();  // the block's output is there, and the scratch free
        }
      });
    }
  }

  /// From the logits' gradient to that of all parameters.
  static __device__ __forceinline__ void backward(const FusedStepShape& shape, const FusedWorkspace& work,
                                                  const PartialGradient& gradient) {
    const FusedBlock& last = shape.block[static_cast<std::size_t>(shape.blocks) - 1];
    dense_backward(shape, last, work, gradient, [&](int filter, int window, float delta) {
      work.deltas[last.deltas_at + window * last.delta_pitch + filter] = delta;
    });
    __syncthreads();  // the last block's deltas are there
    for (int i = shape.blocks - 1; i > 0; --i) {
      const FusedBlock& block = shape.block[static_cast<std::size_t>(i)];
      Kind::with_block(block, [&](auto kernel, auto pool) {
        block_backward_filters<decltype(kernel)::value>(block, work, gradient);
        block_backward_data<decltype(kernel)::value, decltype(pool)::value>(
            block, shape.block[static_cast<std::size_t>(i) - 1], work);
      });
      if (i + 1 < shape.blocks) {
        add_filters(shape.block[static_cast<std::size_t>(i) + 1], work, gradient, 0);
      }
      __syncthreads();  // the deltas of the block before are there, and the parts of this one's filters
    }
    const FusedBlock& first = shape.block[0];
    Kind::with_block(first, [&](auto kernel, auto pool) {
      static_cast<void>(pool);
      block_backward_filters<decltype(kernel)::value>(first, work, gradient);
    });
    if (shape.blocks > 1) {
      add_filters(shape.block[1], work, gradient, 0);
    }
    __syncthreads();  // the parts of the first block's filters are there, and the image is read
    add_filters(first, work, gradient, 0);
  }
};

}  // namespace touchstone::TOUCHSTONE_BACKEND
