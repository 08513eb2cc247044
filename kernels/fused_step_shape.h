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
///   deltas      [windows][delta_pitch]: for each filter the gradient at the window's argmax; zero behind the last one
///   offsets     [windows][delta_pitch]: that position as an offset into a plane of the input
///
/// and behind the first block, for the gradient of the input:
///   data filters [filters][patch][patch][padded_channels]: the taps, behind pool - 1 rows and columns of zeros; those
///                before the next row or filter are also the ones behind this one
///   tap offsets [windows][delta_pitch]: from filter 0 at the place of any pixel to this filter at the same place less
///                the window's argmax, which is the tap that the gradient at this pixel takes; behind the last filter
///                as of that one
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
  int data_filters_at;  ///< in the data filters; -1 for the first block
  int padded_channels;

  int deltas_at;
  int delta_pitch;

  int forward_splits;   ///< parts that the sum over the channels is cut into
  int filter_splits;    ///< parts that the sum over the windows is cut into
  int filter_parts_at;  ///< in the scratch; -1 where the one part goes to device memory at once
  int filter_threads;   ///< threads of the filters' gradient: the last ones of all
  int data_threads;     ///< threads of the input's gradient: the first ones

  int weights;  ///< in the flat parameter vector
  int bias;

  // What items of work are told apart by.
  Divisor by_height;
  Divisor by_width;
  Divisor by_kernel;
  Divisor by_taps;
  Divisor by_out_w;
  Divisor by_windows;
  Divisor by_filters;
  Divisor by_filter_groups;    ///< of fused_thread_filters()
  Divisor by_planes;           ///< of the filters: filters*channels
  Divisor by_channel_vectors;  ///< padded_channels/4
  Divisor by_tiles;            ///< of pool columns of the input, in a row
  int forward_share;           ///< channels of each of the forward_splits
  int filter_share;            ///< windows of each of the filter_splits

  [[nodiscard]] __host__ __device__ constexpr int windows() const { return out_h * out_w; }
  [[nodiscard]] __host__ __device__ constexpr int taps() const { return kernel * kernel; }
  [[nodiscard]] __host__ __device__ constexpr int weights_count() const { return filters * channels * taps(); }
  /// The height and width of what a window reads.
  [[nodiscard]] __host__ __device__ constexpr int patch() const { return kernel + pool - 1; }
  /// Of a part of the filters' gradient in the scratch: the weights, then from bias_part_at() on the biases.
  [[nodiscard]] __host__ __device__ constexpr int bias_part_at() const { return (weights_count() + 3) / 4 * 4; }
  [[nodiscard]] __host__ __device__ constexpr int filter_part_floats() const {
    return bias_part_at() + (filters + 3) / 4 * 4;
  }
  /// From a filter to the next one in the data filters.
  [[nodiscard]] __host__ __device__ constexpr int data_filter_stride() const {
    return patch() * patch() * padded_channels;
  }
  /// The place of tap (p, q) of a filter and channel in the data filters.
  [[nodiscard]] __host__ __device__ constexpr int data_filter_place(int filter, int channel, int p, int q) const {
    return data_filters_at + filter * data_filter_stride() +
           ((p + pool - 1) * patch() + q + pool - 1) * padded_channels + channel;
  }
  /// For a filter's argmax at (y, x) of the input. Where a window reads pixel (v, u), place (0, channel, v, u) plus
  /// this is that of the tap it reads it with, or of one of the zeros around the taps.
  [[nodiscard]] __host__ __device__ constexpr int tap_offset(int filter, int y, int x) const {
    return filter * data_filter_stride() - (y * patch() + x) * padded_channels;
  }
};

/// Filters that a thread computes a window's pre-activations of; fewer where it has nine sums for each.
[[nodiscard]] __host__ __device__ constexpr int fused_thread_filters(int pool) { return pool == 2 ? 4 : 2; }

/// Which of the parameters a block of the fused step brings into shared memory.
enum class FusedResidency : unsigned char {
  both,    ///< all, and the data filters
  packed,  ///< all; the data filters are read from device memory, through the caches
  none     ///< none: all are read through the caches
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
  int packed_floats;       ///< the parameters with filters as FusedBlock has them; a multiple of 4
  int data_filter_floats;  ///< behind them in device memory: the data filters; a multiple of 4
  int activation_floats;
  int delta_floats;
  int tap_offsets;  ///< how many: the first block's deltas, which come last, have none
  int scratch_floats;
  FusedResidency residency;

  /// The parameters that a block brings into shared memory, the first ones of those in device memory.
  [[nodiscard]] __host__ __device__ constexpr int resident_floats() const {
    return residency == FusedResidency::none     ? 0
           : residency == FusedResidency::packed ? packed_floats
                                                 : packed_floats + data_filter_floats;
  }

  /// What a block takes of shared memory, in the order in which it does.
  [[nodiscard]] constexpr std::size_t shared_bytes() const {
    return SharedLayout()
        .take<float>(static_cast<std::size_t>(resident_floats()))
        .take<float>(static_cast<std::size_t>(activation_floats))
        .take<float>(static_cast<std::size_t>(delta_floats))
        .take<std::uint16_t>(static_cast<std::size_t>(delta_floats))
        .take<int>(static_cast<std::size_t>(tap_offsets))
        .take<float>(static_cast<std::size_t>(scratch_floats))
        .take<float>(static_cast<std::size_t>(classes))
        .take<int>(1)
        .bytes();
  }
};

/// The parts that the sum over a mini-batch is cut into: so many partial gradients there are. It depends on the
/// mini-batch alone, not on the GPU, so that every GPU gives the same bits.
inline constexpr int fused_most_parts = 128;
[[nodiscard]] __host__ __device__ constexpr int fused_parts(int batch) {
  return batch < fused_most_parts ? batch : fused_most_parts;
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
