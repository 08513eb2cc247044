// SPDX-License-Identifier: Apache-2.0
//
// The gradient by the input of a convolution, max-pool and sigmoid as one, for square kernels of 1, 3, 5 and 7 and
// pools of 2 and 3 (formula: include/touchstone/conv2d_maxpool_sigmoid.h):
//
//   2 * N * K * C * taps * windows FLOPs, a pool^2-th of the convolution's alone; reads 9 bytes a window and filter and
//   the filters, writes the gradient.
//
// A thread has one window and one channel, and in registers the square of (kernel + pool - 1)^2 pixels that the taps
// may meet, whatever the argmax. For each filter it reads delta and argmax and adds delta times the filter, shifted by
// the argmax: in shared memory a border of zeros surrounds the taps, so that the shift is an offset into it and no
// branch. Several groups of threads ("segments") share the filters. At the end the squares, which overlap, are added in
// shared memory: of all windows at the same time one pool x pool part each, which do not overlap, part after part.
//
// A warp has 8 channels of 4 windows. Per lane and filter (kernel + pool - 1)^2 words of shared memory and 2 for the
// window, for as many multiply-adds, of which taps are not with zeros: 25 of 36 with 5x5 and pool 2. With a pool of 2
// there are no bank conflicts in that loop (BlockTapLayout); with 3 windows of a warp may meet in a bank.
//
// The order of the sum (row and column of the part, filter, segment) depends on the shape alone. An infinite or NaN
// delta reaches all pixels that its window may meet, as it is multiplied by the zeros too.
#include <algorithm>

#include "kernels/async_copy.h"
#include "kernels/conv2d_maxpool_sigmoid_data.h"
#include "kernels/conv2d_maxpool_sigmoid_device.h"
#include "kernels/geometry.h"
#include "kernels/launch.h"
#include "kernels/shared_memory.h"
#include "kernels/vector_access.h"

namespace touchstone::TOUCHSTONE_BACKEND {
namespace {

constexpr int max_threads = 384;
constexpr int max_slots = max_threads / block_data_channels;
constexpr int max_tile_rows = 6;  // of windows
constexpr int max_tile_columns = 8;
constexpr std::int64_t wanted_blocks = 256;  // about two for each multiprocessor of a large GPU
constexpr int shared_budget = 40 << 10;      // below the 48 KB that every device has

struct DataArguments {
  BlockDataPlan plan;
  BlockSizes sizes;
  const float* grad_output;    // [batch,filters,out_h,out_w]
  const float* output;         // the same
  const std::uint8_t* argmax;  // the same
  const float* filters;        // [filters,channels,taps]
  float* grad_input;           // [batch,channels,height,width]
};

// What a kernel and a pool make of the geometry.
template <int KERNEL, int POOL>
struct Geometry {
  static constexpr int taps = KERNEL * KERNEL;
  static constexpr int side = KERNEL + POOL - 1;  // of the pixels that a window may reach
  static constexpr int pixels = side * side;
  static constexpr int reach = divide_up(side, POOL);  // pools that a window may reach, each way
  static constexpr int pitch = block_tap_layout(KERNEL, POOL).pitch;
  static constexpr int plane = block_tap_layout(KERNEL, POOL).plane;
  static constexpr int filter_floats = block_data_channels * plane;
  [[maybe_unused]] static constexpr int min_blocks = pixels <= 36 ? 2 : 1;  // leaves 80 or 168 registers a thread
};

// The block's tiles: where they are in their samples, and which samples.
struct Tile {
  std::int64_t sample;  // the first
  int row;              // of pools
  int column;           // of pools
};

__device__ Tile block_tile(const BlockDataPlan& plan) {
  const int block = static_cast<int>(blockIdx.x);
  const int count = plan.tiles_w * plan.tiles_h;
  const int within = block % count;
  return {.sample = std::int64_t{block / count} * plan.samples,
          .row = within / plan.tiles_w * plan.tile_h,
          .column = within % plan.tiles_w * plan.tile_w};
}

// One of the block's windows; `real` where there is one.
struct Window {
  int sample;  // of the block
  int row;
  int column;
  bool real;
};

__device__ Window window_at(const DataArguments& a, const Tile& tile, int slot) {
  const BlockDataPlan& plan = a.plan;
  const int before = plan.reach() - 1;
  Window window{};
  window.sample = slot / (plan.rows * plan.columns);
  const int within = slot - window.sample * plan.rows * plan.columns;
  window.row = max(0, tile.row - before) + within / plan.columns;
  window.column = max(0, tile.column - before) + within % plan.columns;
  window.real = window.sample < plan.samples && tile.sample + window.sample < a.sizes.batch &&
                window.row < min(a.sizes.out_h, tile.row + plan.tile_h) &&
                window.column < min(a.sizes.out_w, tile.column + plan.tile_w);
  return window;
}

// The taps of filters first .. first + count, as BlockTapLayout says, [filter][channel][plane]; the zeros are there
// already. Starts copies; neighbouring threads read neighbouring floats.
template <int KERNEL, int POOL>
__device__ void load_filters(const DataArguments& a, int first, int count, int first_channel, float* tile) {
  using G = Geometry<KERNEL, POOL>;
  constexpr int border = (POOL - 1) * (G::pitch + 1);
  constexpr int row = block_data_channels * G::taps;  // of a filter
  const int channels = min(block_data_channels, a.sizes.channels - first_channel);
  const std::int64_t stride = std::int64_t{a.sizes.channels} * G::taps;
  const float* filters = a.filters + first * stride + std::int64_t{first_channel} * G::taps;
  const int teams = max(1, static_cast<int>(blockDim.x) / row);  // each loads every so many filters
  const int team = static_cast<int>(threadIdx.x) / row;
  if (team >= teams) {
    return;
  }
  for (int e = static_cast<int>(threadIdx.x) - team * row; e < channels * G::taps; e += static_cast<int>(blockDim.x)) {
    const int channel = e / G::taps;
    const int tap = e - channel * G::taps;
    float* target = tile + channel * G::plane + border + tap / KERNEL * G::pitch + tap % KERNEL;
#pragma unroll 4
    for (int filter = team; filter < count; filter += teams) {
      start_copy4(filters + filter * stride + e, target + filter * G::filter_floats);
    }
  }
}

// For the same filters delta and argmax of the block's windows, [filter][slot]; zeros where there is no window.
__device__ void load_deltas(const DataArguments& a, const Tile& tile, int first, int count, float* deltas) {
  const BlockSizes& s = a.sizes;
  const int slots = a.plan.slots;
  const int slot = static_cast<int>(threadIdx.x) % slots;
  const Window window = window_at(a, tile, slot);
  const std::int64_t plane = (tile.sample + window.sample) * s.filters + first;
  const std::int64_t offset = plane * s.windows() + window.row * s.out_w + window.column;
  for (int filter = static_cast<int>(threadIdx.x) / slots; filter < count;
       filter += static_cast<int>(blockDim.x) / slots) {
    float delta = 0.0F;
    int position = 0;
    if (window.real) {
      const std::int64_t index = offset + std::int64_t{filter} * s.windows();
      delta = sigmoid_gradient(a.grad_output[index], a.output[index]);
      position = a.argmax[index];
    }
    store_vector(deltas + 2 * (filter * slots + slot), make_float2(delta, __int_as_float(position)));
  }
}

// Adds one filter's share of a window's pixels; `taps` stands at the square's first zero.
template <int KERNEL, int POOL>
__device__ __forceinline__ void accumulate_filter(const float2& pair, const float* taps,
                                                  float (&sum)[Geometry<KERNEL, POOL>::pixels]) {
  using G = Geometry<KERNEL, POOL>;
  const int position = __float_as_int(pair.y);
  const int row = position / POOL;
  const int column = position - row * POOL;
  const float* first = taps + (POOL - 1 - row) * G::pitch + POOL - 1 - column;
#pragma unroll
  for (int r = 0; r < G::side; ++r) {
#pragma unroll
    for (int t = 0; t < G::side; ++t) {
      sum[r * G::side + t] += pair.x * first[r * G::pitch + t];
    }
  }
}

// Adds the windows' pixels, segment by segment: `totals` [segment][pixel of a pool][sample, row and column of pools]
// [channel].
template <int KERNEL, int POOL>
__device__ void add_windows(const DataArguments& a, const Tile& tile, int segment, int slot, int channel,
                            const float (&sum)[Geometry<KERNEL, POOL>::pixels], float* totals) {
  using G = Geometry<KERNEL, POOL>;
  const BlockDataPlan& plan = a.plan;
  const Window window = window_at(a, tile, slot);
  const int pools = plan.samples * plan.tile_h * plan.tile_w;
  const int total = plan.segments * POOL * POOL * pools * block_data_channels;
  for (int e = static_cast<int>(threadIdx.x); e < total; e += static_cast<int>(blockDim.x)) {
    totals[e] = 0.0F;
  }
#pragma unroll
  for (int part = 0; part < G::reach * G::reach; ++part) {
    const int row = window.row - tile.row + part / G::reach;
    const int column = window.column - tile.column + part % G::reach;
    __syncthreads();  // the part before has been added; at first, the totals are zeros
    if (window.real && row >= 0 && row < plan.tile_h && column >= 0 && column < plan.tile_w) {
      const int pool = (window.sample * plan.tile_h + row) * plan.tile_w + column;
#pragma unroll
      for (int pixel = 0; pixel < POOL * POOL; ++pixel) {
        const int r = part / G::reach * POOL + pixel / POOL;
        const int t = part % G::reach * POOL + pixel % POOL;
        if (r < G::side && t < G::side) {
          totals[((segment * POOL * POOL + pixel) * pools + pool) * block_data_channels + channel] +=
              sum[r * G::side + t];
        }
      }
    }
  }
  __syncthreads();  // the last part has been added
}

// Writes the sums over the segments, those pixels that the image has. Neighbouring threads write neighbouring pixels.
template <int POOL>
__device__ void write_tiles(const DataArguments& a, const Tile& tile, int first_channel, const float* totals) {
  const BlockDataPlan& plan = a.plan;
  const BlockSizes& s = a.sizes;
  const int first_row = tile.row * POOL;
  const int first_column = tile.column * POOL;
  const int rows = min(plan.tile_h * POOL, s.height - first_row);
  const int columns = min(plan.tile_w * POOL, s.width - first_column);
  const int channels = min(block_data_channels, s.channels - first_channel);
  const int samples = static_cast<int>(min(std::int64_t{plan.samples}, s.batch - tile.sample));
  const int segment_floats = POOL * POOL * plan.samples * plan.tile_h * plan.tile_w * block_data_channels;
  for (int e = static_cast<int>(threadIdx.x); e < samples * channels * rows * columns;
       e += static_cast<int>(blockDim.x)) {
    const int image_row = e / columns;
    const int x = e - image_row * columns;
    const int plane = image_row / rows;
    const int y = image_row - plane * rows;
    const int sample = plane / channels;
    const int channel = plane - sample * channels;
    const int pixel = y % POOL * POOL + x % POOL;
    const int pool = (sample * plan.tile_h + y / POOL) * plan.tile_w + x / POOL;
    const int source = (pixel * plan.samples * plan.tile_h * plan.tile_w + pool) * block_data_channels + channel;
    float sum = totals[source];
    for (int segment = 1; segment < plan.segments; ++segment) {
      sum += totals[segment * segment_floats + source];
    }
    const std::int64_t image = (tile.sample + sample) * s.channels + first_channel + channel;
    a.grad_input[(image * s.height + first_row + y) * s.width + first_column + x] = sum;
  }
}

// Block: a tile of some samples (x), 8 channels (y). Thread: a window and channel, every segments-th filter.
// Shared memory: deltas and taps of `chunk` filters; afterwards the tiles' sums.
template <int KERNEL, int POOL>
__global__ void __launch_bounds__(max_threads, (Geometry<KERNEL, POOL>::min_blocks))
    block_data_kernel(DataArguments a) {
  using G = Geometry<KERNEL, POOL>;
  const BlockDataPlan& plan = a.plan;
  SharedMemory shared;
  float* memory = shared.take<float>(plan.shared_bytes / sizeof(float));
  float* deltas = memory;
  float* taps = memory + 2 * plan.chunk * plan.slots;

  const int channel = static_cast<int>(threadIdx.x) % block_data_channels;
  const int segment = static_cast<int>(threadIdx.x) / block_data_channels / plan.slots;
  const int slot = static_cast<int>(threadIdx.x) / block_data_channels - segment * plan.slots;
  const int first_channel = static_cast<int>(blockIdx.y) * block_data_channels;
  const Tile tile = block_tile(plan);
  for (int e = static_cast<int>(threadIdx.x); e < plan.chunk * G::filter_floats; e += static_cast<int>(blockDim.x)) {
    taps[e] = 0.0F;
  }

  float sum[G::pixels] = {};
  for (int first = 0; first < a.sizes.filters; first += plan.chunk) {
    const int count = min(plan.chunk, a.sizes.filters - first);
    __syncthreads();  // every thread has read the filters before; at first, zeros surround the taps
    load_filters<KERNEL, POOL>(a, first, count, first_channel, taps);
    end_copy_group();
    load_deltas(a, tile, first, count, deltas);
    wait_copies<0>();
    __syncthreads();  // the tiles are complete
    for (int filter = segment; filter < count; filter += plan.segments) {
      accumulate_filter<KERNEL, POOL>(load_vector<float2>(deltas + 2 * (filter * plan.slots + slot)),
                                      taps + filter * G::filter_floats + channel * G::plane, sum);
    }
  }
  __syncthreads();  // every thread has read the last filters
  add_windows<KERNEL, POOL>(a, tile, segment, slot, channel, sum, memory);
  write_tiles<POOL>(a, tile, first_channel, memory);
}

using DataKernel = void (*)(DataArguments);

template <int KERNEL>
DataKernel select_kernel(int pool) {
  return pool == 2 ? block_data_kernel<KERNEL, 2> : block_data_kernel<KERNEL, 3>;
}

DataKernel select_kernel(const BlockDataPlan& plan) {
  switch (plan.kernel) {
    case 1:
      return select_kernel<1>(plan.pool);
    case 3:
      return select_kernel<3>(plan.pool);
    case 5:
      return select_kernel<5>(plan.pool);
    default:
      return select_kernel<7>(plan.pool);
  }
}

// Pools in a tile, of `pools` in that direction and `windows` windows, and the windows that may reach them.
struct Extent {
  int pools;
  int windows;
};

Extent tile_extent(int pools, int windows, int reach, int most) {
  if (windows <= most) {
    return {.pools = pools, .windows = windows};
  }
  const int part = even_part(pools, most - reach + 1);
  return {.pools = part, .windows = part + reach - 1};
}

}  // namespace

BlockDataPlan plan_block_data(const Conv2dMaxpoolSigmoidShape& shape) {
  const BlockSizes sizes = block_sizes(shape);
  BlockDataPlan plan;
  plan.kernel = sizes.kernel_h;
  plan.pool = sizes.pool;
  const int pools_h = divide_up(sizes.height, sizes.pool);
  const int pools_w = divide_up(sizes.width, sizes.pool);
  const Extent down = tile_extent(pools_h, sizes.out_h, plan.reach(), max_tile_rows);
  const Extent across = tile_extent(pools_w, sizes.out_w, plan.reach(), max_tile_columns);
  plan.tile_h = down.pools;
  plan.tile_w = across.pools;
  plan.rows = down.windows;
  plan.columns = across.windows;
  plan.tiles_h = divide_up(pools_h, plan.tile_h);
  plan.tiles_w = divide_up(pools_w, plan.tile_w);

  constexpr int most_floats = shared_budget / static_cast<int>(sizeof(float));
  const int pool_floats = sizes.pool * sizes.pool * block_data_channels;
  const int tile_floats = plan.tile_h * plan.tile_w * pool_floats;  // of a sample and segment
  const std::int64_t tiles = std::int64_t{plan.tiles_h} * plan.tiles_w;
  const int channel_tiles = divide_up(sizes.channels, block_data_channels);
  plan.samples = static_cast<int>(
      std::clamp<std::int64_t>(sizes.batch * tiles * channel_tiles / wanted_blocks, 1,
                               std::min(max_slots / (plan.rows * plan.columns), most_floats / tile_floats)));
  plan.slots = round_up(plan.samples * plan.rows * plan.columns, block_data_warp_windows);

  const int plane = block_tap_layout(plan.kernel, plan.pool).plane;
  const int filter_floats = 2 * plan.slots + block_data_channels * plane;
  plan.segments = std::min(
      {max_slots / plan.slots, sizes.filters, most_floats / filter_floats, most_floats / (plan.samples * tile_floats)});
  plan.chunk =
      round_up(even_part(sizes.filters, most_floats / filter_floats / plan.segments * plan.segments), plan.segments);

  plan.block = dim3(static_cast<unsigned>(block_data_channels * plan.slots * plan.segments));
  plan.grid =
      dim3(grid_size(divide_up<std::int64_t>(sizes.batch, plan.samples) * tiles), static_cast<unsigned>(channel_tiles));
  const int floats = std::max(plan.chunk * filter_floats, plan.segments * plan.samples * tile_floats);
  plan.shared_bytes = SharedLayout().take<float>(static_cast<std::size_t>(floats)).bytes();
  return plan;
}

void block_backward_data_tiled(const Conv2dMaxpoolSigmoidShape& shape, const float* grad_output, const float* output,
                               const std::uint8_t* argmax, const float* filters, float* grad_input,
                               cudaStream_t stream) {
  const BlockDataPlan plan = plan_block_data(shape);
  const DataArguments arguments{plan, block_sizes(shape), grad_output, output, argmax, filters, grad_input};
  launch(select_kernel(plan), plan.grid, plan.block, plan.shared_bytes, stream, arguments);
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
