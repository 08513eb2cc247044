// SPDX-License-Identifier: Apache-2.0
//
// The gradient of the filters of a convolution of stride 1 with a square kernel of 1, 3, 5 or 7 (formula:
// include/touchstone/conv2d.h): the first of two stages. A block computes the gradient of some filters and channels
// over a part of the samples; reduction.cu adds the parts.
//
// A block goes through its part of the sum tile by tile: some output rows and up to 32 columns of one sample, with the
// input under them, in shared memory. A thread accumulates one row of taps of one channel for 4 or 8 filters: for each
// vector of four gradients a filter and the stretch of input over it, 4 * kernel * thread_filters multiply-adds from
// thread_filters + 1 to 3 vector reads. Where few filters and channels would leave a block small, several rows
// ("segments") are worked on at a time, and added at the end in order.
//
// No bank conflicts in that loop: a quarter-warp's lanes differ in the filter group (fastest), then in the row of
// taps, then in the channel. Its at most 8 filter groups read gradients whose planes differ by 1 modulo 8 vectors; rows
// of taps and channels read input rows at pitch 1 and planes at `kernel`, modulo 8 vectors, so neighbours differ too.
//
// The gradient tile is 0 outside the image, so columns beyond it add 0 times a pixel.
#include <algorithm>

#include "kernels/conv2d_filters_tiled.h"
#include "kernels/geometry.h"
#include "kernels/launch.h"
#include "kernels/shared_memory.h"
#include "kernels/vector_access.h"

namespace touchstone::TOUCHSTONE_BACKEND {
namespace {

constexpr int vector_floats = 4;
constexpr int quarter_warp = 8;
constexpr int max_threads = 256;
constexpr int max_filter_groups = 8;
constexpr int max_columns = 32;
constexpr int shared_budget = 40 << 10;  // below the 48 KB that every device has, whatever the rounding adds
constexpr std::int64_t wanted_blocks = 512;

constexpr int filters_per_thread(int kernel) { return kernel <= 3 ? 8 : 4; }

struct FiltersArguments {
  Conv2dFiltersPlan plan;
  const float* grad_output;  // [batch,filters,out_h,out_w]
  const float* input;        // [batch,channels,height,width]
  float* partials;           // [splits,filters,channels,taps]
  int filters;
  int channels;
  int height;
  int width;
  int out_h;
  int out_w;
  int padding_h;
  int padding_w;
};

// What of the sum a tile holds.
struct Unit {
  std::int64_t sample;
  int row;
  int column;
};

__device__ Unit unit_at(const Conv2dFiltersPlan& plan, std::int64_t index) {
  const int tiles = plan.tiles_w * plan.tiles_h;
  Unit unit;
  unit.sample = index / tiles;
  const int tile = static_cast<int>(index - unit.sample * tiles);
  unit.row = tile / plan.tiles_w * plan.tile_rows;
  unit.column = tile % plan.tiles_w * plan.tile_columns;
  return unit;
}

// A stack of planes in device memory, and the window of each that goes to shared memory.
struct Window {
  const float* planes;  // the first plane of the window, [planes,height,width]
  int count;            // planes that exist; the others are filled with zeros
  int height;
  int width;
  int row;     // of the window's first row in the plane, may be negative
  int column;  // of its first column
  int rows;
  int columns;
};

// Copies `tile_planes` windows, zeros where they reach beyond their planes.
template <int WIDTH>
__device__ void load_window(const Window& window, int tile_planes, int pitch, int plane_pitch, float* tile) {
  constexpr int lanes = WIDTH == vector_floats ? quarter_warp : warp_size;
  const int lane = static_cast<int>(threadIdx.x) % lanes;
  const int total_rows = tile_planes * window.rows;
  for (int index = static_cast<int>(threadIdx.x) / lanes; index < total_rows;
       index += static_cast<int>(blockDim.x) / lanes) {
    const int plane = index / window.rows;
    const int tile_row = index - plane * window.rows;
    const int y = window.row + tile_row;
    const bool inside = plane < window.count && y >= 0 && y < window.height;
    const std::int64_t offset = (std::int64_t{plane} * window.height + y) * window.width + window.column;
    const float* source = window.planes + (inside ? offset : 0);
    float* target = tile + plane * plane_pitch + tile_row * pitch;
    for (int x = lane * WIDTH; x < window.columns; x += lanes * WIDTH) {
      const bool valid = inside && window.column + x >= 0 && window.column + x < window.width;
      if constexpr (WIDTH == vector_floats) {
        store4(target + x, valid ? load4(source + x) : make_float4(0.0F, 0.0F, 0.0F, 0.0F));
      } else {
        target[x] = valid ? source[x] : 0.0F;
      }
    }
  }
}

// Adds four output columns: sum[f][q] += gradient[f][j] * x[j + q].
template <int KERNEL, int FILTERS>
__device__ __forceinline__ void accumulate_columns(const float* input, const float* gradient, int filter_stride,
                                                   float (&sum)[FILTERS][KERNEL]) {
  constexpr int reach = round_up(KERNEL + vector_floats - 1, vector_floats);
  float x[reach];
#pragma unroll
  for (int j = 0; j < reach; j += vector_floats) {
    const float4 vector = load4(input + j);
    x[j] = vector.x;
    x[j + 1] = vector.y;
    x[j + 2] = vector.z;
    x[j + 3] = vector.w;
  }
#pragma unroll
  for (int f = 0; f < FILTERS; ++f) {
    const float4 g = load4(gradient + f * filter_stride);
#pragma unroll
    for (int q = 0; q < KERNEL; ++q) {
      sum[f][q] += g.x * x[q];
      sum[f][q] += g.y * x[q + 1];
      sum[f][q] += g.z * x[q + 2];
      sum[f][q] += g.w * x[q + 3];
    }
  }
}

// A thread's place in the block's tile.
struct Worker {
  bool computes;
  int segment;
  int slot;
  int group;    // its filters are group, group + filter_groups, ...
  int p;        // row of taps
  int channel;  // within the tile
};

template <int KERNEL>
__device__ Worker worker(const Conv2dFiltersPlan& plan) {
  const int thread = static_cast<int>(threadIdx.x);
  Worker w;
  w.segment = thread / plan.slots;
  w.slot = thread - w.segment * plan.slots;
  const int tap_row = w.slot / plan.filter_groups;
  w.group = w.slot - tap_row * plan.filter_groups;
  w.channel = tap_row / KERNEL;
  w.p = tap_row - w.channel * KERNEL;
  w.computes = w.segment < plan.segments && w.channel < plan.tile_channels;
  return w;
}

// Adds the segments in order and writes the block's sums. `exchange` [filters * kernel][threads].
template <int KERNEL, int FILTERS>
__device__ void write_sums(const FiltersArguments& a, const Worker& w, const float (&sum)[FILTERS][KERNEL],
                           int first_filter, int first_channel, float* exchange) {
  const int threads = static_cast<int>(blockDim.x);
  const int thread = static_cast<int>(threadIdx.x);
#pragma unroll
  for (int f = 0; f < FILTERS; ++f) {
#pragma unroll
    for (int q = 0; q < KERNEL; ++q) {
      exchange[(f * KERNEL + q) * threads + thread] = sum[f][q];
    }
  }
  __syncthreads();  // all segments have written their sums
  const int channel = first_channel + w.channel;
  if (!w.computes || channel >= a.channels) {
    return;
  }
  // The segments' threads share the work: each takes every so many of its slot's elements.
  for (int element = w.segment; element < FILTERS * KERNEL; element += a.plan.segments) {
    const int f = element / KERNEL;
    const int q = element - f * KERNEL;
    const int filter = first_filter + w.group + f * a.plan.filter_groups;
    float total = 0.0F;
    for (int segment = 0; segment < a.plan.segments; ++segment) {
      total += exchange[element * threads + segment * a.plan.slots + w.slot];
    }
    if (filter < a.filters) {
      const std::int64_t split = blockIdx.y;
      a.partials[(((split * a.filters + filter) * a.channels + channel) * KERNEL + w.p) * KERNEL + q] = total;
    }
  }
}

// Block: tile_filters x tile_channels filters' gradients (x) over one part of the sum (y).
// Thread: one row of taps of one channel for FILTERS filters, over every `segments`-th row.
// Shared memory: the gradient and the input tile; afterwards the threads' sums.
template <int KERNEL, int FILTERS>
__global__ void __launch_bounds__(max_threads, 2) conv2d_filters_kernel(FiltersArguments a) {
  const Conv2dFiltersPlan& plan = a.plan;
  SharedMemory shared;
  float* memory = shared.take<float>(plan.shared_bytes / sizeof(float));
  float* gradient_tile = memory;                                           // [filter][row][column]
  float* input_tile = memory + plan.tile_filters() * plan.gradient_plane;  // [channel][row][column]

  const int first_filter = static_cast<int>(blockIdx.x) % plan.filter_tiles * plan.tile_filters();
  const int first_channel = static_cast<int>(blockIdx.x) / plan.filter_tiles * plan.tile_channels;
  const Worker w = worker<KERNEL>(plan);
  const float* thread_gradient = gradient_tile + w.group * plan.gradient_plane;
  const float* thread_input = input_tile + w.channel * plan.input_plane + w.p * plan.input_pitch;

  float sum[FILTERS][KERNEL] = {};
  const std::int64_t split_units = divide_up(plan.units, plan.splits);
  const std::int64_t first_unit = static_cast<std::int64_t>(blockIdx.y) * split_units;
  const std::int64_t end_unit = min(first_unit + split_units, plan.units);
  for (std::int64_t index = first_unit; index < end_unit; ++index) {
    const Unit unit = unit_at(plan, index);
    const Window gradients{.planes = a.grad_output + (unit.sample * a.filters + first_filter) * a.out_h * a.out_w,
                           .count = a.filters - first_filter,
                           .height = a.out_h,
                           .width = a.out_w,
                           .row = unit.row,
                           .column = unit.column,
                           .rows = plan.tile_rows,
                           .columns = plan.tile_columns};
    const Window inputs{.planes = a.input + (unit.sample * a.channels + first_channel) * a.height * a.width,
                        .count = a.channels - first_channel,
                        .height = a.height,
                        .width = a.width,
                        .row = unit.row - a.padding_h,
                        .column = unit.column - a.padding_w,
                        .rows = plan.tile_rows_in(),
                        .columns = plan.tile_columns_in};
    if (plan.vector_loads) {
      load_window<vector_floats>(gradients, plan.tile_filters(), plan.tile_columns, plan.gradient_plane, gradient_tile);
      load_window<vector_floats>(inputs, plan.tile_channels, plan.input_pitch, plan.input_plane, input_tile);
    } else {
      load_window<1>(gradients, plan.tile_filters(), plan.tile_columns, plan.gradient_plane, gradient_tile);
      load_window<1>(inputs, plan.tile_channels, plan.input_pitch, plan.input_plane, input_tile);
    }
    __syncthreads();  // the tiles are complete
    if (w.computes) {
      for (int row = w.segment; row < plan.tile_rows; row += plan.segments) {
        for (int column = 0; column < plan.tile_columns; column += vector_floats) {
          accumulate_columns<KERNEL, FILTERS>(thread_input + row * plan.input_pitch + column,
                                              thread_gradient + row * plan.tile_columns + column,
                                              plan.filter_groups * plan.gradient_plane, sum);
        }
      }
    }
    __syncthreads();  // and read by all, before the next ones, or the sums, overwrite them
  }
  write_sums<KERNEL, FILTERS>(a, w, sum, first_filter, first_channel, memory);
}

using FiltersKernel = void (*)(FiltersArguments);

FiltersKernel select_kernel(int kernel) {
  switch (kernel) {
    case 1:
      return conv2d_filters_kernel<1, filters_per_thread(1)>;
    case 3:
      return conv2d_filters_kernel<3, filters_per_thread(3)>;
    case 5:
      return conv2d_filters_kernel<5, filters_per_thread(5)>;
    default:
      return conv2d_filters_kernel<7, filters_per_thread(7)>;
  }
}

// Pitches for the plan's rows, and the bytes of both tiles.
int set_pitches(Conv2dFiltersPlan& plan) {
  plan.tile_columns_in = plan.tile_columns - vector_floats + round_up(plan.kernel + vector_floats - 1, vector_floats);
  const int pitch = round_up_to_residue(plan.tile_columns_in / vector_floats, 1, quarter_warp);
  plan.input_pitch = vector_floats * pitch;
  plan.input_plane = vector_floats * round_up_to_residue(plan.tile_rows_in() * pitch, plan.kernel, quarter_warp);
  plan.gradient_plane =
      vector_floats * round_up_to_residue(plan.tile_rows * plan.tile_columns / vector_floats, 1, quarter_warp);
  return static_cast<int>(sizeof(float)) *
         (plan.tile_filters() * plan.gradient_plane + plan.tile_channels * plan.input_plane);
}

}  // namespace

Conv2dFiltersPlan plan_conv2d_filters(const Conv2dShape& shape, bool aligned) {
  const int out_h = narrow(shape.out_h(), "the output height of a convolution");
  const int out_w = narrow(shape.out_w(), "the output width of a convolution");
  const int filters = narrow(shape.filters, "the number of filters");
  const int channels = narrow(shape.channels, "the number of channels");
  Conv2dFiltersPlan plan;
  plan.kernel = narrow(shape.kernel_h, "the kernel size");
  plan.thread_filters = filters_per_thread(plan.kernel);
  plan.filter_groups = even_part(divide_up(filters, plan.thread_filters), max_filter_groups);
  plan.tile_channels = even_part(channels, std::max(1, max_threads / (plan.filter_groups * plan.kernel)));
  plan.slots = round_up(plan.filter_groups * plan.kernel * plan.tile_channels, quarter_warp);

  plan.tile_columns = vector_floats * even_part(divide_up(out_w, vector_floats), max_columns / vector_floats);
  plan.tile_rows = out_h;
  int tile_bytes = set_pitches(plan);
  while (tile_bytes > shared_budget && (plan.tile_rows > 1 || plan.tile_channels > 1)) {
    if (plan.tile_rows > 1) {
      plan.tile_rows = divide_up(plan.tile_rows, 2);
    } else {
      plan.tile_channels = divide_up(plan.tile_channels, 2);
      plan.slots = round_up(plan.filter_groups * plan.kernel * plan.tile_channels, quarter_warp);
    }
    tile_bytes = set_pitches(plan);
  }
  plan.segments = divide_up(plan.tile_rows, divide_up(plan.tile_rows, std::max(1, max_threads / plan.slots)));

  plan.tiles_w = divide_up(out_w, plan.tile_columns);
  plan.tiles_h = divide_up(out_h, plan.tile_rows);
  plan.filter_tiles = divide_up(filters, plan.tile_filters());
  plan.channel_tiles = divide_up(channels, plan.tile_channels);
  const std::int64_t blocks = std::int64_t{plan.filter_tiles} * plan.channel_tiles;
  plan.units = shape.batch * plan.tiles_h * plan.tiles_w;
  plan.splits = std::clamp<std::int64_t>(wanted_blocks / blocks, 1, plan.units);
  plan.splits = divide_up(plan.units, divide_up(plan.units, plan.splits));

  plan.vector_loads =
      aligned && shape.width % vector_floats == 0 && shape.padding_w % vector_floats == 0 && out_w % vector_floats == 0;
  plan.block = dim3(static_cast<unsigned>(round_up(plan.slots * plan.segments, warp_size)));
  plan.grid = dim3(grid_size(blocks), static_cast<unsigned>(plan.splits));
  const int exchange_bytes = static_cast<int>(sizeof(float) * plan.block.x) * plan.thread_filters * plan.kernel;
  plan.shared_bytes =
      SharedLayout().take<unsigned char>(static_cast<std::size_t>(std::max(tile_bytes, exchange_bytes))).bytes();
  return plan;
}

void conv2d_filters_tiled(const Conv2dShape& shape, const float* grad_output, const float* input, float* partials,
                          cudaStream_t stream) {
  const Conv2dFiltersPlan plan = plan_conv2d_filters(shape, is_aligned16(grad_output) && is_aligned16(input));
  const FiltersArguments arguments{.plan = plan,
                                   .grad_output = grad_output,
                                   .input = input,
                                   .partials = partials,
                                   .filters = static_cast<int>(shape.filters),
                                   .channels = static_cast<int>(shape.channels),
                                   .height = static_cast<int>(shape.height),
                                   .width = static_cast<int>(shape.width),
                                   .out_h = static_cast<int>(shape.out_h()),
                                   .out_w = static_cast<int>(shape.out_w()),
                                   .padding_h = static_cast<int>(shape.padding_h),
                                   .padding_w = static_cast<int>(shape.padding_w)};
  launch(select_kernel(plan.kernel), plan.grid, plan.block, plan.shared_bytes, stream, arguments);
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
