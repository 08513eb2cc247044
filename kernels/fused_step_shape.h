// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "kernels/backend.h"
#include "kernels/divisor.h"
#include "kernels/shared_memory.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// The blocks (convolution, max-pool, sigmoid) that a fused step can have at most.
inline constexpr int fused_most_blocks = 4;

/// Threads of a block of the fused step; with them a thread may hold 128 registers.
inline constexpr int fused_threads = 512;

/// Of the windows of all blocks.
inline constexpr int tensor_positions = 4;
inline constexpr int tensor_warps = fused_threads / warp_size;
/// The filters that a warp takes of a block behind the first.
inline constexpr int tensor_filters = 16;
/// The windows that a warp takes at a time, forward: of the first block and of the others.
inline constexpr int tensor_first_windows = 8;
inline constexpr int tensor_windows = 4;

/// The windows that a warp has the deltas of in registers, for the gradient of the filters of a block behind the first.
inline constexpr int tensor_chunk_windows = 16;

/// The pixels that a warp has of the gradient of a block's input: 12 rows of 4.
inline constexpr int tensor_tile_rows = 12;
inline constexpr int tensor_tile_columns = 4;

/// The terms of the first block's sums that a warp takes for the gradient of its filters.
inline constexpr int tensor_warp_terms = 32;

/// What a block has in the form for tensor cores, where each factor of a product is two TF32 numbers
/// (kernels/tensor_core.h): of activations and deltas the low parts are so many floats behind the high ones as the
/// lower halves of the two tensors are. In shared memory, for one sample:
///
///   input       of the first block [channels][height][width] twice, the second time without its first pixel: so that
///               two neighbours, wherever they begin, are one access in one of them. Of other blocks
///               [height][width][channels], pixels `pixel` apart. Rows are FusedBlock::pitch apart.
///   filters     in the order in which lanes read them: see first_filter_place() and filter_place()
///   deltas      [pool*out_h][pool*out_w][filters], pixels `delta_pixel` apart, rows `delta_row`: the gradient of the
///               convolution's output, which is zero beside the argmax of each window. Behind each row is a pixel of
///               zeros, and behind the first block rows of them above and below, so that all that the input's gradient
///               asks for is there
///   offsets     [windows][filters]: that argmax as a position within the window
struct TensorBlock {
  int low;        ///< from the high part of an activation to its low one
  int delta_low;  ///< the same of deltas
  int odd_at;     ///< from the first block's image to that without the first pixel

  int pixel;
  int out_pixel;  ///< of the output; 0 behind the last block, where [filters][windows] are as without tensor cores
  int delta_pixel;
  int delta_row;
  int zero_pixel;  ///< from the first pixel of a row of deltas to that of zeros
  int argmax_at;   ///< in the offsets

  int term_tiles;     ///< eights of terms of a sum; of the first block rounded up, with filters of zeros
  int forward_share;  ///< of them, of each of FusedBlock::forward_splits
  int window_pitch;   ///< of their parts in the scratch: [split][windows][filters][4]
  int tap_splits;     ///< parts that the taps of the filters' gradient are dealt out in, behind the first block
  int tap_share;      ///< taps of each
  int data_tiles;     ///< of pixels, of the input's gradient

  // What items of work are told apart by.
  Divisor by_window_tiles;     ///< of a warp's windows, forward
  Divisor by_forward_tiles;    ///< of its windows and filters
  Divisor by_channel_tiles;    ///< channels/8
  Divisor by_channel_vectors;  ///< channels/4
  Divisor by_data_columns;     ///< data_tiles side by side
  Divisor by_window_pairs;     ///< of the first block's windows, side by side
  Divisor by_tap_splits;

  bool operator==(const TensorBlock&) const = default;
};

/// A convolution with stride 1 and no padding, a max-pool of windows side by side, a sigmoid; with the places of its
/// tensors. Offsets and pitches are in elements.
///
/// In shared memory, for one sample (but see TensorBlock for that form):
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

  TensorBlock tensor;

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
  int filter_share;            ///< windows of each of the filter_splits; rows of them by tensor cores

  bool operator==(const FusedBlock&) const = default;

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
  /// The place of a weight of the first block's sums in the form for tensor cores, behind filters_at; its low part is
  /// first_filter_low behind it. `term`: channel*taps + tap. Eight filters by eight terms are 128 floats, in which a
  /// lane has what it takes of a product's columns side by side.
  static constexpr int first_filter_low = 2;
  [[nodiscard]] __host__ __device__ constexpr int first_filter_place(int filter, int term) const {
    const int tile = term / 8 * (filters / 8) + filter / 8;
    return tile * 128 + (filter % 8 * 4 + term % 4) * 4 + term % 8 / 4;
  }
  /// The same of another block: sixteen filters by eight channels of a tap, 128 high parts, then 128 low ones. Forward
  /// a lane takes filters f and f + 8 of two channels as a product's rows, which lie side by side. For the input's
  /// gradient lanes take eight channels of every other filter: the exclusive or puts half of these into other banks.
  static constexpr int filter_low = 128;
  [[nodiscard]] __host__ __device__ constexpr int filter_place(int filter, int channel, int tap) const {
    const int tile = (tap * (channels / 8) + channel / 8) * (filters / 16) + filter / 16;
    const int lane = (filter % 8 * 4 + channel % 8 / 2) ^ (filter % 4 / 2 * 4);
    return tile * 2 * filter_low + lane * 4 + channel % 2 * 2 + filter % 16 / 8;
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

/// A block of an image of channels*height*width, without places.
[[nodiscard]] constexpr FusedBlock make_fused_block(int channels, int height, int width, int filters, int kernel,
                                                    int pool) {
  constexpr int vector = 4;
  FusedBlock block{};
  block.channels = channels;
  block.height = height;
  block.width = width;
  block.filters = filters;
  block.kernel = kernel;
  block.pool = pool;
  block.out_h = (height - kernel + 1) / pool;
  block.out_w = (width - kernel + 1) / pool;
  // An odd number of vectors, so that eight lanes with neighbouring taps or windows store to all banks.
  block.padded_filters = vector * ((filters + vector - 1) / vector | 1);
  block.padded_channels = (channels + vector - 1) / vector * vector;
  block.delta_pitch = (filters + vector - 1) / vector * vector;
  block.by_height = make_divisor(block.height);
  block.by_width = make_divisor(block.width);
  block.by_kernel = make_divisor(block.kernel);
  block.by_taps = make_divisor(block.taps());
  block.by_out_w = make_divisor(block.out_w);
  block.by_windows = make_divisor(block.windows());
  block.by_filters = make_divisor(block.filters);
  return block;
}

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
  bool by_tensor_cores;  ///< products by them: blocks are as TensorBlock says
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
  int offsets;      ///< how many
  int tap_offsets;  ///< how many: the first block's deltas, which come last, have none. By tensor cores: the offsets
                    ///< into the image of the terms of the first block's sums
  int scratch_floats;
  FusedResidency residency;

  bool operator==(const FusedStepShape&) const = default;

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
        .take<std::uint16_t>(static_cast<std::size_t>(offsets))
        .take<int>(static_cast<std::size_t>(tap_offsets))
        .take<float>(static_cast<std::size_t>(scratch_floats))
        .take<float>(static_cast<std::size_t>(classes))
        .take<int>(1)
        .bytes();
  }
};

#if defined(__CUDACC__) || defined(TOUCHSTONE_EMULATED)
/// The last block. BLOCKS: how many there are, where the compiler knows it and is to know their sizes and places too;
/// else 0.
template <int BLOCKS>
[[nodiscard]] __device__ __forceinline__ const FusedBlock& last_block(const FusedStepShape& shape) {
  return shape.block[static_cast<std::size_t>(BLOCKS > 0 ? BLOCKS : shape.blocks) - 1];
}

/// Calls `use` with each block behind the first one and the block before it, from the second one on.
template <int BLOCKS, class Use>
__device__ __forceinline__ void for_blocks_behind_first(const FusedStepShape& shape, const Use& use) {
  if constexpr (BLOCKS > 0) {
    [&]<std::size_t... I>(std::index_sequence<I...> /*before*/) { (use(shape.block[I + 1], shape.block[I]), ...); }
    (std::make_index_sequence<BLOCKS - 1>());
  } else {
    for (std::size_t i = 1; i < static_cast<std::size_t>(shape.blocks); ++i) {
      use(shape.block[i], shape.block[i - 1]);
    }
  }
}

/// The same from the last block on.
template <int BLOCKS, class Use>
__device__ __forceinline__ void for_blocks_backwards(const FusedStepShape& shape, const Use& use) {
  if constexpr (BLOCKS > 0) {
    [&]<std::size_t... I>(std::index_sequence<I...> /*behind*/) {
      (use(shape.block[BLOCKS - 1 - I], shape.block[BLOCKS - 2 - I]), ...);
    }
    (std::make_index_sequence<BLOCKS - 1>());
  } else {
    for (auto i = static_cast<std::size_t>(shape.blocks) - 1; i > 0; --i) {
      use(shape.block[i], shape.block[i - 1]);
    }
  }
}
#endif

/// The parts that the sum over a mini-batch is cut into: so many partial gradients there are. It depends on the
/// mini-batch alone, not on the GPU, so that every GPU gives the same bits.
inline constexpr int fused_most_parts = 128;
[[nodiscard]] __host__ __device__ constexpr int fused_parts(int batch) {
  return batch < fused_most_parts ? batch : fused_most_parts;
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
