// SPDX-License-Identifier: Apache-2.0
//
// The gradient by the filters of a convolution, max-pool and sigmoid as one, for any kernel (formula:
// include/touchstone/conv2d_maxpool_sigmoid.h): the first of two stages. A block computes the gradient of 8 filters and
// some channels over a part of the samples; reduction.cu adds the parts.
//
//   2 * N * K * C * taps * windows FLOPs, a pool^2-th of the convolution's alone; reads 9 bytes a window and filter and
//   the input, and writes and reads the parts.
//
// A block goes through its part of the sum tile by tile: some windows of one sample, or all of several small ones, with
// the input under them in shared memory, and for each window and filter delta and where in the input tile the argmax's
// first tap is. A lane has
// 1, 2 or 4 elements (a channel and tap) of the 8 filters' gradients. For each window it reads 8 deltas and offsets,
// which all lanes share, then for each filter and element the pixel there: nothing but the pixels under argmax
// positions is multiplied. Several groups of warps ("segments") share the windows; their sums are added in order.
//
// No bank conflicts in that loop: a warp reads its 32 elements from one offset, and rows and planes of the input tile
// have pitches that make element e read from bank e modulo 32, plus what all share.
//
// An infinite or NaN delta reaches its own filter's gradient alone. The order of the sum depends on the shape alone.
// Kernels so large that the input under one window does not fit into shared memory read the input where it is.
#include <algorithm>

#include "kernels/async_copy.h"
#include "kernels/conv2d_maxpool_sigmoid_device.h"
#include "kernels/conv2d_maxpool_sigmoid_filters.h"
#include "kernels/geometry.h"
#include "kernels/launch.h"
#include "kernels/shared_memory.h"
#include "kernels/vector_access.h"

namespace touchstone::TOUCHSTONE_BACKEND {
namespace {

constexpr int vector_floats = 4;
constexpr int banks = 32;
constexpr int max_row_lanes = 8;  // threads that copy a row of the input
constexpr int load_filters = 2;   // whose deltas a thread loads at a time
constexpr int max_threads = 256;
[[maybe_unused]] constexpr int min_blocks = 2;  // a multiprocessor: leaves 128 registers a thread
constexpr int max_thread_elements = 4;
constexpr int max_tile_channels = 16;
constexpr int max_tile_windows = 256;
constexpr int shared_budget = 46 << 10;  // below the 48 KB that every device has
constexpr int max_wanted_blocks = 512;

// Floats of a window's deltas and offsets, and from one window to the next: the rest spreads the writes over the banks.
constexpr int window_floats = 2 * block_thread_filters;
constexpr int window_pitch = window_floats + vector_floats;

struct FiltersArguments {
  BlockFiltersPlan plan;
  BlockSizes sizes;
  const float* grad_output;    // [batch,filters,out_h,out_w]
  const float* output;         // the same
  const std::uint8_t* argmax;  // the same
  const float* input;          // [batch,channels,height,width]
  float* partials;             // [splits,filters,channels,taps]
};

// What of the sum a tile holds: windows of some samples.
struct Unit {
  std::int64_t sample;  // the first
  int samples;
  int row;
  int column;
  int rows;
  int columns;
};

__device__ Unit unit_at(const BlockFiltersPlan& plan, const BlockSizes& s, std::int64_t index) {
  const int tiles = plan.tiles_w * plan.tiles_h;
  Unit unit;
  const std::int64_t group = index / tiles;
  const int tile = static_cast<int>(index - group * tiles);
  unit.sample = group * plan.tile_samples;
  unit.samples = static_cast<int>(min(std::int64_t{plan.tile_samples}, s.batch - unit.sample));
  unit.row = tile / plan.tiles_w * plan.tile_rows;
  unit.column = tile % plan.tiles_w * plan.tile_columns;
  unit.rows = min(plan.tile_rows, s.out_h - unit.row);
  unit.columns = min(plan.tile_columns, s.out_w - unit.column);
  return unit;
}

// Per window delta and offset of 8 filters; zeros for filters beyond the last. Neighbouring threads read neighbouring
// windows. Offsets count from the unit's first pixel, in rows of `pitch` floats and samples of `sample_pitch`.
__device__ void load_deltas(const FiltersArguments& a, const Unit& unit, int first_filter, int pitch, int sample_pitch,
                            float* deltas) {
  const BlockSizes& s = a.sizes;
  const int sample_windows = unit.rows * unit.columns;
  const int count = unit.samples * sample_windows;
  const int total = count * (block_thread_filters / load_filters);
  for (int e = static_cast<int>(threadIdx.x); e < total; e += static_cast<int>(blockDim.x)) {
    const int group = e / count;  // of filters
    const int window = e - group * count;
    const int sample = window / sample_windows;
    const int within = window - sample * sample_windows;
    const int i = within / unit.columns;
    const int j = within - i * unit.columns;
    const std::int64_t plane = (unit.sample + sample) * s.filters + first_filter;
    const std::int64_t first = (plane * s.out_h + unit.row + i) * s.out_w + unit.column + j;
    const int pixel = sample * sample_pitch + i * s.pool * pitch + j * s.pool;
#pragma unroll
    for (int member = 0; member < load_filters; ++member) {
      const int f = group * load_filters + member;
      const std::int64_t index = first + std::int64_t{min(f, s.filters - 1 - first_filter)} * s.windows();
      const int position = a.argmax[index];
      const int row = position < s.pool ? 0 : position < 2 * s.pool ? 1 : 2;
      const int offset = pixel + row * pitch + position - row * s.pool;
      const float gradient = sigmoid_gradient(a.grad_output[index], a.output[index]);
      const float delta = first_filter + f < s.filters ? gradient : 0.0F;
      store_vector(deltas + window * window_pitch + 2 * f, make_float2(delta, __int_as_float(offset)));
    }
  }
}

// The input under a unit's windows, [sample][channel][row][pitch]; rows that the image does not have are left out.
// Starts copies.
__device__ void load_input(const FiltersArguments& a, const Unit& unit, int first_channel, float* tile) {
  const BlockSizes& s = a.sizes;
  const int rows_in = unit.rows * s.pool + s.kernel_h - 1;
  const int columns_in = unit.columns * s.pool + s.kernel_w - 1;
  const int together = static_cast<int>(blockDim.x) / a.plan.row_lanes;  // rows
  const int first = static_cast<int>(threadIdx.x) / a.plan.row_lanes;
  const int lane = static_cast<int>(threadIdx.x) - first * a.plan.row_lanes;
  const int channels = min(a.plan.tile_channels, s.channels - first_channel);
  const int rows = first < together ? unit.samples * channels * rows_in : 0;
  for (int index = first; index < rows; index += together) {
    const int image = index / rows_in;
    const int row = index - image * rows_in;
    const int sample = image / channels;
    const int channel = image - sample * channels;
    const std::int64_t plane = (unit.sample + sample) * s.channels + first_channel + channel;
    const float* source = a.input + (plane * s.height + unit.row * s.pool + row) * s.width + unit.column * s.pool;
    float* target = tile + (sample * a.plan.tile_channels + channel) * a.plan.plane + row * a.plan.pitch;
    for (int x = lane; x < columns_in; x += a.plan.row_lanes) {
      start_copy4(source + x, target + x);
    }
  }
}

// Adds one window: sum[f][m] += delta of filter f * pixel of element m at its argmax. `input` stands at the unit's
// first pixel.
template <int ELEMENTS>
__device__ __forceinline__ void accumulate_window(const float* deltas, const float* input,
                                                  const int (&elements)[ELEMENTS],
                                                  float (&sum)[block_thread_filters][ELEMENTS]) {
#pragma unroll
  for (int f = 0; f < block_thread_filters; f += 2) {
    const float4 pairs = load4(deltas + 2 * f);
    const float* first = input + __float_as_int(pairs.y);
    const float* second = input + __float_as_int(pairs.w);
#pragma unroll
    for (int m = 0; m < ELEMENTS; ++m) {
      sum[f][m] += pairs.x * first[elements[m]];
      sum[f + 1][m] += pairs.z * second[elements[m]];
    }
  }
}

// The first of the block's elements, among those of its channels.
__device__ int first_element(const BlockFiltersPlan& plan) {
  return static_cast<int>(blockIdx.z) * plan.thread_elements * plan.element_threads;
}

// Adds the segments' sums in order and writes the block's. `exchange` [filters and elements][threads].
template <int ELEMENTS>
__device__ void write_sums(const FiltersArguments& a, int first_filter, int first_channel, int segment, int slot,
                           const float (&sum)[block_thread_filters][ELEMENTS], float* exchange) {
  const BlockSizes& s = a.sizes;
  const int threads = static_cast<int>(blockDim.x);
#pragma unroll
  for (int f = 0; f < block_thread_filters; ++f) {
#pragma unroll
    for (int m = 0; m < ELEMENTS; ++m) {
      exchange[(f * ELEMENTS + m) * threads + static_cast<int>(threadIdx.x)] = sum[f][m];
    }
  }
  __syncthreads();  // all segments have written their sums
  const int row = s.channels * s.taps();
  const int first = first_channel * s.taps() + first_element(a.plan);
  const int end = min((first_channel + a.plan.tile_channels) * s.taps(), row);
  // The segments' threads share the work: each takes every so many of its slot's sums.
  for (int e = segment; e < block_thread_filters * ELEMENTS; e += a.plan.segments) {
    const int filter = first_filter + e / ELEMENTS;
    const int element = first + slot + e % ELEMENTS * a.plan.element_threads;
    float total = 0.0F;
    for (int other = 0; other < a.plan.segments; ++other) {
      total += exchange[e * threads + other * a.plan.element_threads + slot];
    }
    if (filter < s.filters && element < end) {
      a.partials[(std::int64_t{blockIdx.y} * s.filters + filter) * row + element] = total;
    }
  }
}

// Block: 8 filters and tile_channels channels (x), as many of their elements (z) as its threads can hold, over one part
// of the sum (y). Thread: ELEMENTS elements of the 8 filters, every segments-th window.
// Shared memory: deltas and input of a tile; afterwards the threads' sums.
template <int ELEMENTS, bool STAGED>
__global__ void __launch_bounds__(max_threads, min_blocks) block_filters_kernel(FiltersArguments a) {
  const BlockFiltersPlan& plan = a.plan;
  const BlockSizes& s = a.sizes;
  SharedMemory shared;
  float* memory = shared.take<float>(plan.shared_bytes / sizeof(float));
  float* deltas = memory;
  float* tile = memory + plan.tile_samples * plan.tile_rows * plan.tile_columns * window_pitch;

  const int first_filter = static_cast<int>(blockIdx.x) % plan.filter_tiles * block_thread_filters;
  const int first_channel = static_cast<int>(blockIdx.x) / plan.filter_tiles * plan.tile_channels;
  const int segment = static_cast<int>(threadIdx.x) / plan.element_threads;
  const int slot = static_cast<int>(threadIdx.x) - segment * plan.element_threads;
  const int pitch = STAGED ? plan.pitch : s.width;
  const int plane = STAGED ? plan.plane : s.pixels();
  const int count = min(plan.tile_channels, s.channels - first_channel) * s.taps();
  int elements[ELEMENTS];  // where their pixels are, from the first tap's on; for those beyond the last anywhere
#pragma unroll
  for (int m = 0; m < ELEMENTS; ++m) {
    const int element = min(first_element(plan) + slot + m * plan.element_threads, count - 1);
    const int channel = element / s.taps();
    const int tap = element - channel * s.taps();
    elements[m] = channel * plane + tap / s.kernel_w * pitch + tap % s.kernel_w;
  }

  float sum[block_thread_filters][ELEMENTS] = {};
  const std::int64_t split_units = divide_up(plan.units, plan.splits);
  const std::int64_t first_unit = std::int64_t{blockIdx.y} * split_units;
  const std::int64_t end_unit = min(first_unit + split_units, plan.units);
  for (std::int64_t index = first_unit; index < end_unit; ++index) {
    const Unit unit = unit_at(plan, s, index);
    const float* input = tile;
    if constexpr (STAGED) {
      load_input(a, unit, first_channel, tile);
      end_copy_group();
    } else {
      const std::int64_t first_plane = unit.sample * s.channels + first_channel;
      input = a.input + (first_plane * s.height + unit.row * s.pool) * s.width + unit.column * s.pool;
    }
    load_deltas(a, unit, first_filter, pitch, plan.tile_channels * plane, deltas);
    wait_copies<0>();
    __syncthreads();  // the tiles are complete
    for (int window = segment; window < unit.samples * unit.rows * unit.columns; window += plan.segments) {
      accumulate_window<ELEMENTS>(deltas + window * window_pitch, input, elements, sum);
    }
    __syncthreads();  // and read by all, before the next ones, or the sums, overwrite them
  }
  write_sums<ELEMENTS>(a, first_filter, first_channel, segment, slot, sum, memory);
}

using FiltersKernel = void (*)(FiltersArguments);

template <bool STAGED>
FiltersKernel select_kernel(int thread_elements) {
  switch (thread_elements) {
    case 1:
      return block_filters_kernel<1, STAGED>;
    case 2:
      return block_filters_kernel<2, STAGED>;
    default:
      return block_filters_kernel<4, STAGED>;
  }
}

// The channels of a block: those that leave the fewest lanes idle, of equals the fewest channels.
void set_elements(BlockFiltersPlan& plan, const BlockSizes& sizes) {
  const std::int64_t all = std::int64_t{sizes.channels} * sizes.taps();
  plan.thread_elements = max_thread_elements;
  while (plan.thread_elements > 1 && all <= plan.thread_elements / 2 * warp_size) {
    plan.thread_elements /= 2;
  }
  const auto threads_for = [&](int channels) {
    return round_up<std::int64_t>(divide_up<std::int64_t>(std::int64_t{channels} * sizes.taps(), plan.thread_elements),
                                  warp_size);
  };
  plan.tile_channels = 1;
  std::int64_t fewest = sizes.channels * threads_for(1);
  for (int channels = 2; channels <= std::min(sizes.channels, max_tile_channels); ++channels) {
    if (threads_for(channels) > max_threads) {
      break;
    }
    const std::int64_t total = divide_up(sizes.channels, channels) * threads_for(channels);
    if (total < fewest) {
      fewest = total;
      plan.tile_channels = channels;
    }
  }
  plan.element_threads = static_cast<int>(std::min<std::int64_t>(threads_for(plan.tile_channels), max_threads));
}

// Pitches for the plan's windows, and the floats of both tiles.
std::int64_t set_pitches(BlockFiltersPlan& plan, const BlockSizes& sizes) {
  const int columns = plan.tile_columns * sizes.pool + sizes.kernel_w - 1;
  const int rows = plan.tile_rows * sizes.pool + sizes.kernel_h - 1;
  plan.row_lanes = even_part(columns, max_row_lanes);
  plan.pitch = round_up_to_residue(columns, sizes.kernel_w, banks);
  const std::int64_t plane = std::int64_t{rows} * plan.pitch + banks;
  plan.plane = plane > shared_budget ? 0 : round_up_to_residue(rows * plan.pitch, sizes.taps(), banks);
  return std::int64_t{plan.tile_rows} * plan.tile_columns * window_pitch + plane * plan.tile_channels;
}

// About as many as a large GPU holds at a time: threads with fewer sums leave room for more.
std::int64_t wanted_blocks(const BlockFiltersPlan& plan) {
  return max_wanted_blocks / divide_up(plan.thread_elements, 2);
}

// The windows of a tile, of one sample, so that it fits into shared memory; without the input where nothing else helps.
std::int64_t set_tile(BlockFiltersPlan& plan, const BlockSizes& sizes) {
  constexpr std::int64_t most_floats = shared_budget / static_cast<int>(sizeof(float));
  plan.staged = true;
  plan.tile_columns = even_part(sizes.out_w, banks);
  plan.tile_rows = even_part(sizes.out_h, std::max(1, max_tile_windows / plan.tile_columns));
  std::int64_t floats = set_pitches(plan, sizes);
  while (floats > most_floats && (plan.tile_rows > 1 || plan.tile_columns > 1)) {
    int& larger = plan.tile_rows > 1 ? plan.tile_rows : plan.tile_columns;
    larger = divide_up(larger, 2);
    floats = set_pitches(plan, sizes);
  }
  if (floats > most_floats) {
    plan.staged = false;
    plan.tile_columns = even_part(sizes.out_w, banks);
    plan.tile_rows = even_part(sizes.out_h, max_tile_windows / plan.tile_columns);
    floats = std::int64_t{plan.tile_rows} * plan.tile_columns * window_pitch;
  }
  return floats;
}

// Small samples share a tile, as many as fit and leave every multiprocessor of a large GPU its blocks: a tile costs a
// round trip to memory, whatever is in it. `sample_floats` are those of a tile of one sample.
std::int64_t set_samples(BlockFiltersPlan& plan, const BlockSizes& sizes, std::int64_t blocks,
                         std::int64_t sample_floats) {
  constexpr std::int64_t most_floats = shared_budget / static_cast<int>(sizeof(float));
  plan.tile_samples = 1;
  if (plan.staged && plan.tiles_w == 1 && plan.tiles_h == 1) {
    const std::int64_t fit =
        std::min(most_floats / sample_floats, std::int64_t{max_tile_windows} / (plan.tile_rows * plan.tile_columns));
    plan.tile_samples = static_cast<int>(
        std::clamp<std::int64_t>(sizes.batch * blocks / wanted_blocks(plan), 1, std::max<std::int64_t>(fit, 1)));
  }
  return plan.tile_samples * sample_floats;
}

}  // namespace

BlockFiltersPlan plan_block_filters(const Conv2dMaxpoolSigmoidShape& shape) {
  const BlockSizes sizes = block_sizes(shape);
  BlockFiltersPlan plan;
  set_elements(plan, sizes);
  const std::int64_t sample_floats = set_tile(plan, sizes);
  plan.tiles_w = divide_up(sizes.out_w, plan.tile_columns);
  plan.tiles_h = divide_up(sizes.out_h, plan.tile_rows);
  plan.filter_tiles = divide_up(sizes.filters, block_thread_filters);
  plan.channel_tiles = divide_up(sizes.channels, plan.tile_channels);
  const std::int64_t blocks = std::int64_t{plan.filter_tiles} * plan.channel_tiles;
  const std::int64_t tile_floats = set_samples(plan, sizes, blocks, sample_floats);
  plan.segments = std::min(max_threads / plan.element_threads, plan.tile_samples * plan.tile_rows * plan.tile_columns);
  plan.units = divide_up<std::int64_t>(sizes.batch, plan.tile_samples) * plan.tiles_h * plan.tiles_w;
  plan.splits = std::clamp<std::int64_t>(wanted_blocks(plan) / blocks, 1, plan.units);
  plan.splits = divide_up(plan.units, divide_up(plan.units, plan.splits));

  plan.block = dim3(static_cast<unsigned>(plan.element_threads * plan.segments));
  const std::int64_t elements = std::int64_t{plan.tile_channels} * sizes.taps();
  plan.grid = dim3(grid_size(blocks), static_cast<unsigned>(plan.splits),
                   grid_size(divide_up<std::int64_t>(elements, plan.thread_elements * plan.element_threads)));
  const std::int64_t exchange = std::int64_t{plan.block.x} * block_thread_filters * plan.thread_elements;
  plan.shared_bytes = SharedLayout().take<float>(static_cast<std::size_t>(std::max(tile_floats, exchange))).bytes();
  return plan;
}

void block_backward_filters_parts(const Conv2dMaxpoolSigmoidShape& shape, const float* grad_output, const float* output,
                                  const std::uint8_t* argmax, const float* input, float* partials,
                                  cudaStream_t stream) {
  const BlockFiltersPlan plan = plan_block_filters(shape);
  const FiltersArguments arguments{plan, block_sizes(shape), grad_output, output, argmax, input, partials};
  const FiltersKernel kernel =
      plan.staged ? select_kernel<true>(plan.thread_elements) : select_kernel<false>(plan.thread_elements);
  launch(kernel, plan.grid, plan.block, plan.shared_bytes, stream, arguments);
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
