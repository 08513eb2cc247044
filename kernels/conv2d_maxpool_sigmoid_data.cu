// SPDX-License-Identifier: Apache-2.0
//
// The gradient by the input of a convolution, max-pool and sigmoid as one, for square kernels of 1, 3, 5 and 7 and
// pools of 2 and 3 (formula: include/touchstone/conv2d_maxpool_sigmoid.h):
//
//   2 * N * K * C * taps * windows FLOPs, a pool^2-th of the convolution's alone; reads 9 bytes a window and filter and
//   the filters, writes the gradient.
//
// A gather: a warp computes a patch of 2 * pool x 2 * pool pixels, each lane for a channel of its own. For each filter
// it takes the filter's taps for its channel into registers, then goes through the windows whose taps may reach the
// patch (4 x 4 of them for a 5x5 kernel and a pool of 2). All lanes share a window, and so its argmax: a branch on it
// leads to multiply-adds that know at compile time which tap meets which pixel, and only those are executed. In shared
// memory are, for some filters at a time, the filters' taps with channels side by side, and for each patch delta and
// argmax of its windows. Several warps ("segments") share the filters of a patch; their sums are added in order.
//
// Per lane and filter taps words of shared memory and 2 for each window, for 4 * taps multiply-adds: 100 for 57 with
// 5x5 and pool 2. No bank conflicts in that loop: lanes read neighbouring words, or the same.
//
// The order of the sum (segment, filter, row of windows, window) depends on the shape alone. An infinite or NaN delta
// reaches the pixels under its argmax's taps and no others. With fewer than 32 channels some lanes idle.
#include <algorithm>

#include "kernels/conv2d_maxpool_sigmoid_data.h"
#include "kernels/conv2d_maxpool_sigmoid_device.h"
#include "kernels/geometry.h"
#include "kernels/launch.h"
#include "kernels/shared_memory.h"
#include "kernels/vector_access.h"

namespace touchstone::TOUCHSTONE_BACKEND {
namespace {

constexpr int max_threads = 512;
constexpr int max_warps = max_threads / warp_size;
constexpr int max_patches = 8;                // of a block
constexpr std::int64_t wanted_blocks = 128;   // about one for each multiprocessor of a large GPU
constexpr int channel_pitch = warp_size + 1;  // one float more spreads the writes of the filter tile over the banks
constexpr int shared_budget = 40 << 10;       // below the 48 KB that every device has

struct DataArguments {
  BlockDataPlan plan;
  BlockSizes sizes;
  const float* grad_output;    // [batch,filters,out_h,out_w]
  const float* output;         // the same
  const std::uint8_t* argmax;  // the same
  const float* filters;        // [filters,channels,taps]
  float* grad_input;           // [batch,channels,height,width]
};

// What a kernel and a pool make of the geometry: see BlockDataPlan.
template <int KERNEL, int POOL>
struct Geometry {
  static constexpr int taps = KERNEL * KERNEL;
  static constexpr int side = block_data_pools * POOL;
  static constexpr int pixels = side * side;
  static constexpr int before = divide_up(KERNEL + POOL - 1, POOL) - 1;  // windows before the patch's first
  static constexpr int reach = block_data_pools + before;
  static constexpr int windows = reach * reach;
};

// Where a patch is.
struct Patch {
  std::int64_t sample;
  int row;     // of pools
  int column;  // of pools
};

__device__ Patch patch_at(const BlockDataPlan& plan, std::int64_t index) {
  const int count = plan.patches_w * plan.patches_h;
  Patch patch;
  patch.sample = index / count;
  const int within = static_cast<int>(index - patch.sample * count);
  patch.row = within / plan.patches_w * block_data_pools;
  patch.column = within % plan.patches_w * block_data_pools;
  return patch;
}

// Filters first .. first + count, as [filter and tap][channel]. Neighbouring threads read neighbouring floats.
template <int KERNEL>
__device__ void load_filters(const DataArguments& a, int first, int count, int first_channel, float* tile) {
  constexpr int taps = KERNEL * KERNEL;
  constexpr int row = warp_size * taps;  // a filter's channels and taps
  const BlockSizes& s = a.sizes;
  for (int e = static_cast<int>(threadIdx.x); e < count * row; e += static_cast<int>(blockDim.x)) {
    const int filter = e / row;
    const int rest = e - filter * row;
    const int channel = rest / taps;
    const int tap = rest - channel * taps;
    const std::int64_t source = (std::int64_t{first + filter} * s.channels + first_channel) * taps + rest;
    tile[(filter * taps + tap) * channel_pitch + channel] =
        first_channel + channel < s.channels ? a.filters[source] : 0.0F;
  }
}

// For the same filters delta and argmax of the windows that may reach the block's patches, as
// [patch][filter][row][column]; where there is no window a position that no window has.
template <int KERNEL, int POOL>
__device__ void load_deltas(const DataArguments& a, std::int64_t first_patch, int first, int count, float* deltas) {
  using G = Geometry<KERNEL, POOL>;
  const BlockSizes& s = a.sizes;
  const int total = a.plan.patches * count * G::windows;
  for (int e = static_cast<int>(threadIdx.x); e < total; e += static_cast<int>(blockDim.x)) {
    const int place = e / G::windows;
    const int within = e - place * G::windows;
    const int tile_patch = place / count;
    const int filter = place - tile_patch * count;
    const Patch patch = patch_at(a.plan, first_patch + tile_patch);
    const int i = patch.row - G::before + within / G::reach;
    const int j = patch.column - G::before + within % G::reach;
    float delta = 0.0F;
    int position = POOL * POOL;
    if (patch.sample < s.batch && i >= 0 && i < s.out_h && j >= 0 && j < s.out_w) {
      const std::int64_t window = ((patch.sample * s.filters + first + filter) * s.out_h + i) * s.out_w + j;
      delta = sigmoid_gradient(a.grad_output[window], a.output[window]);
      position = a.argmax[window];
    }
    const int target = (tile_patch * a.plan.chunk + filter) * G::windows + within;
    store_vector(deltas + 2 * target, make_float2(delta, __int_as_float(position)));
  }
}

// Adds a window whose element (y, x), counted from the patch's first pixel, has the taps' first: those taps that meet a
// pixel of the patch.
template <int KERNEL, int SIDE>
__device__ __forceinline__ void accumulate_taps(int y, int x, float delta, const float (&w)[KERNEL * KERNEL],
                                                float (&sum)[SIDE * SIDE]) {
#pragma unroll
  for (int r = 0; r < SIDE; ++r) {
#pragma unroll
    for (int t = 0; t < SIDE; ++t) {
      const int p = r - y;
      const int q = t - x;
      if (p >= 0 && p < KERNEL && q >= 0 && q < KERNEL) {
        sum[r * SIDE + t] += delta * w[p * KERNEL + q];
      }
    }
  }
}

// Adds one filter: `deltas` [row][column] of the windows, `taps` [tap][channel].
template <int KERNEL, int POOL>
__device__ __forceinline__ void accumulate_filter(const float* deltas, const float* taps,
                                                  float (&sum)[Geometry<KERNEL, POOL>::pixels]) {
  using G = Geometry<KERNEL, POOL>;
  float w[G::taps];
#pragma unroll
  for (int tap = 0; tap < G::taps; ++tap) {
    w[tap] = taps[tap * channel_pitch];
  }
#pragma unroll
  for (int window = 0; window < G::windows; ++window) {
    const auto pair = load_vector<float2>(deltas + 2 * window);
    const int chosen = __float_as_int(pair.y);
#pragma unroll
    for (int position = 0; position < POOL * POOL; ++position) {
      if (chosen == position) {
        accumulate_taps<KERNEL, G::side>((window / G::reach - G::before) * POOL + position / POOL,
                                         (window % G::reach - G::before) * POOL + position % POOL, pair.x, w, sum);
      }
    }
  }
}

// Adds the segments' sums in order: `totals` [patch][pixel][channel].
template <int PIXELS>
__device__ void add_segments(const BlockDataPlan& plan, int tile_patch, int segment, const float (&sum)[PIXELS],
                             float* totals) {
  float* total = totals + tile_patch * PIXELS * channel_pitch + static_cast<int>(threadIdx.x) % warp_size;
  for (int turn = 0; turn < plan.segments; ++turn) {
    __syncthreads();  // the segment before has added its sums; at first, all have read the tiles
    if (segment == turn) {
#pragma unroll
      for (int pixel = 0; pixel < PIXELS; ++pixel) {
        const float before = turn == 0 ? 0.0F : total[pixel * channel_pitch];
        total[pixel * channel_pitch] = before + sum[pixel];
      }
    }
  }
  __syncthreads();  // the last one has
}

// Writes the block's patches, those pixels that the image has. Neighbouring threads write neighbouring pixels.
template <int SIDE>
__device__ void write_patches(const DataArguments& a, std::int64_t first_patch, int first_channel,
                              const float* totals) {
  constexpr int pixels = SIDE * SIDE;
  const BlockSizes& s = a.sizes;
  const int total = a.plan.patches * warp_size * pixels;
  for (int e = static_cast<int>(threadIdx.x); e < total; e += static_cast<int>(blockDim.x)) {
    const int pixel = e % pixels;
    const int channel = e / pixels % warp_size;
    const int tile_patch = e / pixels / warp_size;
    const Patch patch = patch_at(a.plan, first_patch + tile_patch);
    const int y = patch.row * s.pool + pixel / SIDE;
    const int x = patch.column * s.pool + pixel % SIDE;
    if (patch.sample < s.batch && first_channel + channel < s.channels && y < s.height && x < s.width) {
      const std::int64_t plane = patch.sample * s.channels + first_channel + channel;
      a.grad_input[(plane * s.height + y) * s.width + x] =
          totals[(tile_patch * pixels + pixel) * channel_pitch + channel];
    }
  }
}

// Block: some patches (x) of 32 channels (y). Warp: one patch, every segments-th filter. Lane: a channel.
// Shared memory: deltas and taps of `chunk` filters; afterwards the patches' sums.
template <int KERNEL, int POOL>
__global__ void __launch_bounds__(max_threads, 1) block_data_kernel(DataArguments a) {
  using G = Geometry<KERNEL, POOL>;
  const BlockDataPlan& plan = a.plan;
  SharedMemory shared;
  float* memory = shared.take<float>(plan.shared_bytes / sizeof(float));
  float* deltas = memory;
  float* taps = memory + 2 * plan.patches * plan.chunk * G::windows;

  const int warp = static_cast<int>(threadIdx.x) / warp_size;
  const int lane = static_cast<int>(threadIdx.x) % warp_size;
  const int segment = warp / plan.patches;
  const int tile_patch = warp - segment * plan.patches;
  const std::int64_t first_patch = std::int64_t{blockIdx.x} * plan.patches;
  const int first_channel = static_cast<int>(blockIdx.y) * warp_size;

  float sum[G::pixels] = {};
  for (int first = 0; first < a.sizes.filters; first += plan.chunk) {
    const int count = min(plan.chunk, a.sizes.filters - first);
    if (first > 0) {
      __syncthreads();  // every thread has read the filters before
    }
    load_filters<KERNEL>(a, first, count, first_channel, taps);
    load_deltas<KERNEL, POOL>(a, first_patch, first, count, deltas);
    __syncthreads();  // the tiles are complete
    for (int filter = segment; filter < count; filter += plan.segments) {
      accumulate_filter<KERNEL, POOL>(deltas + 2 * (tile_patch * plan.chunk + filter) * G::windows,
                                      taps + filter * G::taps * channel_pitch + lane, sum);
    }
  }
  add_segments<G::pixels>(plan, tile_patch, segment, sum, memory);
  write_patches<G::side>(a, first_patch, first_channel, memory);
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

}  // namespace

BlockDataPlan plan_block_data(const Conv2dMaxpoolSigmoidShape& shape) {
  const BlockSizes sizes = block_sizes(shape);
  BlockDataPlan plan;
  plan.kernel = sizes.kernel_h;
  plan.pool = sizes.pool;
  plan.patches_w = divide_up(sizes.width, plan.patch_side());
  plan.patches_h = divide_up(sizes.height, plan.patch_side());
  const std::int64_t patches = sizes.batch * plan.patches_w * plan.patches_h;
  const std::int64_t channel_tiles = divide_up(sizes.channels, warp_size);
  plan.patches = static_cast<int>(std::clamp<std::int64_t>(patches * channel_tiles / wanted_blocks, 1, max_patches));
  // Where there are enough, smaller blocks: one computes while its neighbours load.
  const bool many = divide_up<std::int64_t>(patches, plan.patches) * channel_tiles >= 4 * wanted_blocks;
  plan.segments = std::min(sizes.filters, (many ? max_warps / 2 : max_warps) / plan.patches);

  const int filter_floats = 2 * plan.patches * plan.reach() * plan.reach() + plan.kernel * plan.kernel * channel_pitch;
  const int most_filters = shared_budget / static_cast<int>(sizeof(float)) / filter_floats;
  plan.segments = std::min(plan.segments, most_filters);
  plan.chunk = even_part(sizes.filters, most_filters / plan.segments * plan.segments);

  plan.block = dim3(static_cast<unsigned>(warp_size * plan.patches * plan.segments));
  plan.grid = dim3(grid_size(divide_up<std::int64_t>(patches, plan.patches)), grid_size(channel_tiles));
  const int totals = plan.patches * plan.patch_side() * plan.patch_side() * channel_pitch;
  plan.shared_bytes =
      SharedLayout().take<float>(static_cast<std::size_t>(std::max(plan.chunk * filter_floats, totals))).bytes();
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
