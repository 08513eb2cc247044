// SPDX-License-Identifier: Apache-2.0
//
// Convolution, max-pool and sigmoid as one, forward, for square kernels of 1, 3, 5 and 7 and pools of 2 and 3
// (formulas, ties and NaN: include/touchstone/conv2d_maxpool_sigmoid.h).
//
//   2 * N * K * C * taps * pool^2 * windows FLOPs; reads input and filters, writes 5 bytes a window and filter. The
//   pre-activations stay in registers.
//
// A block computes a tile of windows (some samples, rows and columns) for some filters. It brings the part of the input
// under the tile and the filters into shared memory, some channels at a time. A thread accumulates the pool x pool
// pre-activations of one window for 4 or 8 filters: for each row of taps it reads one more row of the input under its
// window, then for each tap one or two vectors of filter values, which the lanes of a quarter-warp read from one
// address. Where the tiles are few, several threads ("segments") share the channels of a window, and their sums are
// added in order.
//
// Per thread and channel pool^2 * taps * thread_filters multiply-adds for (kernel + pool - 1)^2 + taps * thread_filters
// words of shared memory: 5x5, pool 2, 8 filters: 800 for 236; pool 3, 4 filters: 900 for 149. The least is 1x1, pool
// 2, 4 filters: 16 for 8.
//
// No bank conflicts in that loop: neighbouring lanes have neighbouring windows, columns first, then rows, then samples,
// and read the input 2 words at a time with pool 2, half a warp together, and single words with pool 3. The rows of the
// input are sorted by their number modulo the pool, so that rows of windows are one pitch apart, and pitches leave such
// rests that slot t reads from bank pool * t modulo 32, or from a permutation of these.
//
// Products and sums are written as such; nvcc fuses them, the host compiler does not. The order of the sum depends on
// the shape alone.
#include <algorithm>
#include <bit>
#include <cmath>

#include "kernels/conv2d_maxpool_sigmoid_device.h"
#include "kernels/conv2d_maxpool_sigmoid_forward.h"
#include "kernels/conv2d_maxpool_sigmoid_forward_tile.h"
#include "kernels/geometry.h"
#include "kernels/launch.h"
#include "kernels/shared_memory.h"
#include "kernels/vector_access.h"

namespace touchstone::TOUCHSTONE_BACKEND {
namespace {

constexpr int banks = 32;
constexpr int max_threads = 256;
[[maybe_unused]] constexpr int min_blocks = 2;         // a multiprocessor: leaves 128 registers a thread
constexpr int wanted_threads = 192;                    // of a segment
constexpr int max_filter_groups = 4;                   // of a block
constexpr int max_row_slots = 16;                      // 32 or 48 columns
constexpr std::int64_t wanted_blocks = 256;            // about two for each multiprocessor of a large GPU
constexpr std::int64_t wanted_grid_threads = 1 << 16;  // channels are shared where there are fewer
constexpr int shared_budget = 40 << 10;  // below the 48 KB that every device has, whatever the rounding adds

// The part of an input row under a window and its taps.
template <int POOL, int COLUMNS>
__device__ __forceinline__ void load_patch_row(const float* row, float (&x)[COLUMNS]) {
  if constexpr (POOL == 2) {
    static_assert(COLUMNS % 2 == 0, "an odd kernel, and one column more");
#pragma unroll
    for (int j = 0; j < COLUMNS; j += 2) {
      const auto pair = load_vector<float2>(row + j);
      x[j] = pair.x;
      x[j + 1] = pair.y;
    }
  } else {
#pragma unroll
    for (int j = 0; j < COLUMNS; ++j) {
      x[j] = row[j];
    }
  }
}

// Adds one channel: sum[f][a * POOL + b] += filter[p][q][f] * x[p + a][q + b].
template <int KERNEL, int POOL, int FILTERS>
__device__ __forceinline__ void accumulate_channel(const BlockForwardPlan& plan, const float* input,
                                                   const float* filter, float (&sum)[FILTERS][POOL * POOL]) {
  constexpr int reach = KERNEL + POOL - 1;
  const int phase_pitch = plan.phase_rows * plan.pitch;
  float x[reach][reach];
#pragma unroll
  for (int r = 0; r < reach; ++r) {
    load_patch_row<POOL>(input + r % POOL * phase_pitch + r / POOL * plan.pitch, x[r]);
    const int p = r - (POOL - 1);  // the row of taps for which all rows are there now
    if (p < 0) {
      continue;
    }
#pragma unroll
    for (int q = 0; q < KERNEL; ++q) {
#pragma unroll
      for (int f = 0; f < FILTERS; f += block_vector_floats) {
        const float4 w = load4(filter + (p * KERNEL + q) * plan.filter_pitch + f);
#pragma unroll
        for (int position = 0; position < POOL * POOL; ++position) {
          const float value = x[p + position / POOL][q + position % POOL];
          sum[f][position] += w.x * value;
          sum[f + 1][position] += w.y * value;
          sum[f + 2][position] += w.z * value;
          sum[f + 3][position] += w.w * value;
        }
      }
    }
  }
}

// A thread's place in the block's tile.
struct Worker {
  bool computes;
  int segment;
  int group;
  int sample;  // within the tile, like row and column
  int row;
  int column;
};

__device__ Worker worker(const BlockForwardPlan& plan) {
  const int thread = static_cast<int>(threadIdx.x);
  const int group = thread / plan.slots;
  const int slot = thread - group * plan.slots;
  const int row = slot / plan.row_slots;
  Worker w;
  w.segment = group / plan.filter_groups;
  w.group = group - w.segment * plan.filter_groups;
  w.sample = row / plan.tile_rows;
  w.row = row - w.sample * plan.tile_rows;
  w.column = slot - row * plan.row_slots;
  w.computes = w.segment < plan.segments && w.sample < plan.samples;
  return w;
}

// Where a thread's windows go.
struct Target {
  std::int64_t sample;
  int row;
  int column;
  int first_filter;

  // Pools one filter's window and writes what comes of it.
  template <int POOL>
  __device__ void write(const BlockForwardArguments& a, int f, const float (&window)[POOL * POOL]) const {
    const BlockSizes& s = a.sizes;
    const int filter = first_filter + f;
    if (filter < s.filters) {
      const Pooled best = pool_window<POOL>(window, a.bias == nullptr ? 0.0F : a.bias[filter]);
      const std::int64_t index = ((sample * s.filters + filter) * s.out_h + row) * s.out_w + column;
      a.output[index] = sigmoid_value(best.value);
      a.argmax[index] = static_cast<std::uint8_t>(best.position);
    }
  }
};

// Adds the segments' sums in order and writes the windows: each segment those of every so many filters.
// `exchange` [filters and positions][threads].
template <int POOL, int FILTERS>
__device__ void write_segments(const BlockForwardArguments& a, const Worker& w, const Target& target, bool exists,
                               const float (&sum)[FILTERS][POOL * POOL], float* exchange) {
  constexpr int positions = POOL * POOL;
  const int threads = static_cast<int>(blockDim.x);
  const int thread = static_cast<int>(threadIdx.x);
  const int segment_threads = a.plan.slots * a.plan.filter_groups;
  __syncthreads();  // every thread has read the last channels
#pragma unroll
  for (int f = 0; f < FILTERS; ++f) {
#pragma unroll
    for (int position = 0; position < positions; ++position) {
      exchange[(f * positions + position) * threads + thread] = sum[f][position];
    }
  }
  __syncthreads();  // all segments have written their sums
  if (!exists) {
    return;
  }
  const float* first = exchange + thread - w.segment * segment_threads;
  for (int f = w.segment; f < FILTERS; f += a.plan.segments) {
    float window[positions];
#pragma unroll
    for (int position = 0; position < positions; ++position) {
      window[position] = first[(f * positions + position) * threads];
    }
    for (int segment = 1; segment < a.plan.segments; ++segment) {
#pragma unroll
      for (int position = 0; position < positions; ++position) {
        window[position] += first[(f * positions + position) * threads + segment * segment_threads];
      }
    }
    target.write<POOL>(a, f, window);
  }
}

// Block: one tile of windows. Thread: one window, FILTERS filters, every segments-th channel.
// Shared memory: chunk channels of input and filters; afterwards, with several segments, the threads' sums.
template <int KERNEL, int POOL, int FILTERS>
__global__ void __launch_bounds__(max_threads, min_blocks) block_forward_kernel(BlockForwardArguments a) {
  const BlockForwardPlan& plan = a.plan;
  SharedMemory shared;
  float* memory = shared.take<float>(plan.shared_bytes / sizeof(float));
  float* filter_tile = memory;
  float* input_tile = memory + plan.chunk * KERNEL * KERNEL * plan.filter_pitch;

  const BlockForwardOrigin origin = block_forward_origin(plan);
  const Worker w = worker(plan);
  const int input_offset = w.sample * plan.sample_pitch + w.row * plan.pitch + w.column * POOL;

  float sum[FILTERS][POOL * POOL] = {};
  for (int first = 0; first < a.sizes.channels; first += plan.chunk) {
    const int count = min(plan.chunk, a.sizes.channels - first);
    if (first > 0) {
      __syncthreads();  // every thread has read the channels before
    }
    load_block_filters(a, origin.filter, first, count, filter_tile);
    if (plan.vector_loads) {
      load_block_input<POOL, block_vector_floats>(a, origin, first, count, input_tile);
    } else {
      load_block_input<POOL, 1>(a, origin, first, count, input_tile);
    }
    __syncthreads();  // the tiles are complete
    if (w.computes) {
      for (int c = w.segment; c < count; c += plan.segments) {
        accumulate_channel<KERNEL, POOL, FILTERS>(
            plan, input_tile + c * plan.channel_pitch() + input_offset,
            filter_tile + c * KERNEL * KERNEL * plan.filter_pitch + w.group * FILTERS, sum);
      }
    }
  }

  const Target target{.sample = origin.sample + w.sample,
                      .row = origin.row + w.row,
                      .column = origin.column + w.column,
                      .first_filter = origin.filter + w.group * FILTERS};
  const bool exists =
      w.computes && target.sample < a.sizes.batch && target.row < a.sizes.out_h && target.column < a.sizes.out_w;
  if (plan.segments > 1) {
    write_segments<POOL, FILTERS>(a, w, target, exists, sum, memory);
  } else if (exists) {
#pragma unroll
    for (int f = 0; f < FILTERS; ++f) {
      target.write<POOL>(a, f, sum[f]);
    }
  }
}

using ForwardKernel = void (*)(BlockForwardArguments);

template <int KERNEL>
ForwardKernel select_kernel(const BlockForwardPlan& plan) {
  if (plan.pool == 3) {
    return block_forward_kernel<KERNEL, 3, 4>;
  }
  return plan.thread_filters == 4 ? block_forward_kernel<KERNEL, 2, 4> : block_forward_kernel<KERNEL, 2, 8>;
}

ForwardKernel select_kernel(const BlockForwardPlan& plan) {
  switch (plan.kernel) {
    case 1:
      return select_kernel<1>(plan);
    case 3:
      return select_kernel<3>(plan);
    case 5:
      return select_kernel<5>(plan);
    default:
      return select_kernel<7>(plan);
  }
}

// Lanes whose reads of the input shared memory serves at a time: of 8 bytes with pool 2, of 4 with pool 3.
int access_lanes(const BlockForwardPlan& plan) { return plan.pool == 2 ? banks / 2 : banks; }

// The tile's rows and samples: those that leave the fewest lanes idle.
void set_tile(BlockForwardPlan& plan, const BlockSizes& sizes, int filter_groups) {
  const int lanes = access_lanes(plan);
  const int most_slots = wanted_threads / std::min(filter_groups, max_filter_groups);
  plan.row_slots = even_part(sizes.out_w, max_row_slots);
  plan.tiles_w = divide_up(sizes.out_w, plan.row_slots);
  std::int64_t fewest = 0;
  for (int rows = 1; rows <= std::min(sizes.out_h, std::max(1, most_slots / plan.row_slots)); ++rows) {
    const std::int64_t tiles = divide_up(sizes.out_h, rows);
    const std::int64_t total = tiles * round_up(rows * plan.row_slots, lanes);
    // Of equals the largest, which reads the fewest rows twice, while enough blocks are left.
    if (rows == 1 || total < fewest || (total == fewest && sizes.batch * tiles * plan.tiles_w >= wanted_blocks)) {
      fewest = total;
      plan.tile_rows = rows;
    }
  }
  plan.tiles_h = divide_up(sizes.out_h, plan.tile_rows);
  plan.samples = 1;
  const int sample_slots = plan.tile_rows * plan.row_slots;
  if (plan.tiles_w == 1 && plan.tiles_h == 1) {
    fewest = sizes.batch * round_up(sample_slots, lanes);
    const auto most = static_cast<int>(std::min<std::int64_t>(std::max(1, most_slots / sample_slots), sizes.batch));
    for (int samples = 2; samples <= most; ++samples) {
      const std::int64_t total =
          divide_up<std::int64_t>(sizes.batch, samples) * round_up(samples * sample_slots, lanes);
      if (total < fewest) {  // of equals the smallest, which leaves more blocks
        fewest = total;
        plan.samples = samples;
      }
    }
  }
  plan.slots = round_up(plan.samples * sample_slots, lanes);
}

// The least pitch from which lanes that are `slots` apart read banks that those between them do not; `alone` says that
// no larger steps follow.
int conflict_free_pitch(int least, int slots, int pool, bool alone) {
  const int step = pool == 2 ? 2 : 1;  // in banks; that of pool 3 has no factor in common with their number
  if (alone && std::has_single_bit(static_cast<unsigned>(slots)) && 2 * slots * step <= banks) {
    return round_up_to_residue(least, slots * step, 2 * slots * step);
  }
  return round_up_to_residue(least, slots * pool, banks);
}

void set_pitches(BlockForwardPlan& plan) {
  const bool powers = plan.samples == 1 || std::has_single_bit(static_cast<unsigned>(plan.tile_rows));
  plan.tile_columns_in = round_up(plan.row_slots * plan.pool + plan.kernel - 1, block_vector_floats);
  plan.phase_rows = divide_up(plan.tile_rows_in(), plan.pool);
  plan.pitch = conflict_free_pitch(plan.tile_columns_in, plan.row_slots, plan.pool, powers);
  plan.sample_pitch =
      conflict_free_pitch(plan.pool * plan.phase_rows * plan.pitch, plan.tile_rows * plan.row_slots, plan.pool, true);
}

// Bytes of shared memory that one channel of the tile takes.
int channel_bytes(const BlockForwardPlan& plan) { return static_cast<int>(sizeof(float)) * plan.channel_floats(); }

// How filters and channels are shared among a block's threads, and the filters among blocks.
void set_groups(BlockForwardPlan& plan, const BlockSizes& sizes, int filter_groups) {
  const std::int64_t tiles = divide_up<std::int64_t>(sizes.batch, plan.samples) * plan.tiles_h * plan.tiles_w;
  const auto blocks = [&] { return tiles * divide_up(filter_groups, plan.filter_groups); };
  plan.filter_groups = even_part(filter_groups, max_filter_groups);
  while (plan.filter_groups > 1 && blocks() < wanted_blocks) {
    plan.filter_groups = divide_up(plan.filter_groups, 2);
  }
  const int threads = plan.slots * plan.filter_groups;
  const std::int64_t shares = std::clamp<std::int64_t>(wanted_grid_threads / (threads * blocks()), 1, sizes.channels);
  plan.segments = static_cast<int>(std::clamp<std::int64_t>(shares, 1, std::max(1, max_threads / threads)));
  plan.grid = dim3(grid_size(tiles), grid_size(divide_up(filter_groups, plan.filter_groups)));
  // A few floats between taps spread the writes of the filter tile over the banks.
  plan.filter_pitch = round_up_to_residue(plan.tile_filters(), block_vector_floats, 2 * block_vector_floats);
}

}  // namespace

bool block_is_tiled(const Conv2dMaxpoolSigmoidShape& shape) {
  const std::int64_t kernel = shape.conv2d.kernel_h;
  return kernel == shape.conv2d.kernel_w && (kernel == 1 || kernel == 3 || kernel == 5 || kernel == 7);
}

BlockForwardPlan plan_block_forward(const Conv2dMaxpoolSigmoidShape& shape, bool aligned) {
  const BlockSizes sizes = block_sizes(shape);
  BlockForwardPlan plan;
  plan.kernel = sizes.kernel_h;
  plan.pool = sizes.pool;
  plan.thread_filters = plan.pool == 3 || sizes.filters <= 4 ? 4 : 8;
  const int filter_groups = divide_up(sizes.filters, plan.thread_filters);
  set_tile(plan, sizes, filter_groups);
  set_groups(plan, sizes, filter_groups);
  set_pitches(plan);
  while (plan.samples > 1 && channel_bytes(plan) > shared_budget) {
    plan.samples = divide_up(plan.samples, 2);
    plan.slots = round_up(plan.samples * plan.tile_rows * plan.row_slots, access_lanes(plan));
    set_groups(plan, sizes, filter_groups);
    set_pitches(plan);
  }
  const int most_channels = std::max(1, shared_budget / channel_bytes(plan));
  plan.segments = std::min(plan.segments, most_channels);
  plan.chunk = even_part(sizes.channels, most_channels / plan.segments * plan.segments);
  plan.vector_loads = aligned && sizes.width % block_vector_floats == 0 &&
                      (plan.tiles_w == 1 || plan.row_slots * plan.pool % block_vector_floats == 0);
  plan.block = dim3(static_cast<unsigned>(round_up(plan.slots * plan.filter_groups * plan.segments, warp_size)));
  const int exchange = static_cast<int>(plan.block.x) * plan.thread_filters * plan.pool * plan.pool;
  const int floats = std::max(plan.chunk * plan.channel_floats(), plan.segments > 1 ? exchange : 0);
  plan.shared_bytes = SharedLayout().take<float>(static_cast<std::size_t>(floats)).bytes();
  return plan;
}

void block_forward_tiled(const Conv2dMaxpoolSigmoidShape& shape, const float* input, const float* filters,
                         const float* bias, float* output, std::uint8_t* argmax, cudaStream_t stream) {
  const BlockForwardPlan plan = plan_block_forward(shape, is_aligned16(input));
  const BlockForwardArguments arguments{plan, block_sizes(shape), input, filters, bias, output, argmax};
  launch(select_kernel(plan), plan.grid, plan.block, plan.shared_bytes, stream, arguments);
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
