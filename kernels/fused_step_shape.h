// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "kernels/backend.h"
#include "kernels/divisor.h"
#include "kernels/shared_memory.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// The blocks (convolution, max-pool, sigmoid) that a fused step can have at most.
inline constexpr int fused_most_blocks = 4;

/// Threads of a block of the fused step; with them a thread may hold 128 registers.
inline constexpr int fused_threads = 512;

/// A convolution with stride 1 and no padding, a max-pool of windows side by side, a sigmoid; with the places of its
/// tensors. Offsets and pitches are in elements.
///
/// In shared memory, for one sample:
///   input       [channels][height][width], rows `pitch` apart, planes `plane` apart; the output likewise, which is the
///               next block's input
///   filters     [channels*taps][padded_filters]: the filters of a tap side by side, so that four of them are one load
///   deltas      [windows][delta_pitch]: for each filter the gradient at the window's argmax
///   argmax      [windows][delta_pitch]: that position within the window, a*pool + b
///   offsets     [windows][delta_pitch]: the same as an offset into a plane of the input
struct FusedBlock {
  int channels;
  int height;
  int width;
  int filters;
  int kernel;
  int pool;
  int out_h;  ///< of what is pooled
  int out_w;

  int input_at;  ///< in the activations
  int pitch;
  int plane;
  int output_at;
  int out_pitch;
  int out_plane;

  int padded_filters;
  int filters_at;  ///< in the packed parameters
  int bias_at;
  int data_filters_at;     ///< the filters as the gradient of the input reads them: of filter k and tap t of all
  int data_filter_stride;  ///< channels at data_filters_at + k * data_filter_stride + t * data_tap_stride
  int data_tap_stride;

  int deltas_at;
  int delta_pitch;

  int forward_splits;  ///< parts that the sum over the channels is cut into
  int filter_splits;   ///< parts that the sum over the windows is cut into
  int patches_at;      ///< in the scratch: behind the parts of the filters' gradient
  int patch_channels;  ///< channels whose patches are in the scratch at a time
  int patch_stride;    ///< from one window's patches to the next one's

  int weights;  ///< in the flat parameter vector
  int bias;

  // What items of work are told apart by.
  Divisor by_height;
  Divisor by_width;
  Divisor by_positions;  ///< of the input: height*width
  Divisor by_out_w;
  Divisor by_windows;
  Divisor by_channels;
  Divisor by_filters;
  Divisor by_filter_groups;  ///< of fused_thread_filters()
  Divisor by_tap_rows;       ///< filters*channels*kernel
  Divisor by_patch_lanes;    ///< a window's threads in block_backward_patches(), whole warps
  int forward_share;         ///< channels of each of the forward_splits
  int filter_share;          ///< windows of each of the filter_splits

  [[nodiscard]] __host__ __device__ constexpr int windows() const { return out_h * out_w; }
  [[nodiscard]] __host__ __device__ constexpr int taps() const { return kernel * kernel; }
  [[nodiscard]] __host__ __device__ constexpr int weights_count() const { return filters * channels * taps(); }
  /// The height and width of what a window reads.
  [[nodiscard]] __host__ __device__ constexpr int patch() const { return kernel + pool - 1; }
};

/// Filters that a thread computes a window's pre-activations of; fewer where it has nine sums for each.
[[nodiscard]] __host__ __device__ constexpr int fused_thread_filters(int pool) { return pool == 2 ? 4 : 2; }

/// Which of the parameters a block of the fused step brings into shared memory.
enum class FusedResidency : unsigned char {
  both,    ///< all, and the filters a second time, as the gradient of the input reads them without bank conflicts
  packed,  ///< all
  none     ///< none: they are read from device memory, through the caches
};

/// A network that the fused step can run, and how it does it: what its kernels are told.
struct FusedStepShape {
  int blocks;
  std::array<FusedBlock, fused_most_blocks> block;
  int image_size;
  int features;  ///< the dense layer's
  int classes;
  int features_at;  ///< in the activations: the last block's output, without gaps
  int dense_at;     ///< in the packed parameters
  int dense_bias_at;
  int dense_weights;  ///< in the flat parameter vector
  int dense_bias;
  int parameter_floats;
  int packed_floats;   ///< the parameters with filters as FusedBlock has them; a multiple of 4
  int natural_floats;  ///< the filters a second time, in the flat vector's order; 0 without
  int activation_floats;
  int delta_floats;
  int scratch_floats;
  FusedResidency residency;

  /// What a block takes of shared memory, in the order in which it does.
  [[nodiscard]] constexpr std::size_t shared_bytes() const {
    const auto resident = [this](int floats) {
      return residency == FusedResidency::none ? 0 : static_cast<std::size_t>(floats);
    };
    return SharedLayout()
        .take<float>(table_floats)
        .take<float>(resident(packed_floats))
        .take<float>(resident(natural_floats))
        .take<float>(static_cast<std::size_t>(activation_floats))
        .take<float>(static_cast<std::size_t>(delta_floats))
        .take<std::uint8_t>(static_cast<std::size_t>(delta_floats))
        .take<std::uint16_t>(static_cast<std::size_t>(delta_floats))
        .take<float>(static_cast<std::size_t>(scratch_floats))
        .take<float>(static_cast<std::size_t>(classes))
        .take<int>(1)
        .bytes();
  }

  static constexpr int table_floats = 256;  ///< a value for each pixel
};

/// The parts that the sum over a mini-batch is cut into: so many partial gradients there are. It depends on the
/// mini-batch alone, not on the GPU, so that every GPU gives the same bits.
inline constexpr int fused_most_parts = 128;
[[nodiscard]] __host__ __device__ constexpr int fused_parts(int batch) {
  return batch < fused_most_parts ? batch : fused_most_parts;
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
