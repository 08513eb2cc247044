// SPDX-License-Identifier: Apache-2.0
//
// The convolution of stride 1 with a square kernel of 1, 3, 5 or 7, forward, and with turned filters backward to its
// data (formulas: include/touchstone/conv2d.h).
//
// A block computes a tile of output: some samples, rows, vectors of four columns, and some filters. It brings the part
// of the input under the tile and the filters into shared memory, some channels at a time. A thread accumulates four
// neighbouring columns for 4 or 8 filters: for each row of taps it reads its stretch of the input row once, then for
// each tap one or two vectors of filter values, which all lanes of a quarter-warp read from one address.
//
// No bank conflicts in that loop: lanes next to each other hold slots next to each other, columns first, then rows,
// then samples, and the pitches of rows and samples leave such rests that the slot's number, modulo 8, is the number
// of the 16-byte bank group it reads from.
//
// Arithmetic per thread and channel: kernel^2 * 4 * thread_filters multiply-adds, for
// kernel * (2 or 3 + kernel * thread_filters / 4) vector reads of shared memory.
//
// Products and sums are written as such; nvcc fuses them, the host compiler does not. The order of the sum (channel,
// row of taps, column of taps) depends on neither tiles nor device.
#include <algorithm>

#include "kernels/conv2d_tiled.h"
#include "kernels/geometry.h"
#include "kernels/launch.h"
#include "kernels/shared_memory.h"
#include "kernels/vector_access.h"

namespace touchstone::TOUCHSTONE_BACKEND {
namespace {

constexpr int vector_floats = 4;
constexpr int quarter_warp = 8;      // lanes that a 16-byte access serves at a time: 8 * 16 bytes are all banks
constexpr int wanted_threads = 128;  // blocks of this size leave many to share among multiprocessors
constexpr int max_threads = 160;     // what rounding the slots makes of that at most
static_assert(max_threads >= wanted_threads + warp_size, "rounding adds less than 8 slots to each filter group");
[[maybe_unused]] constexpr int min_blocks = 4;  // a multiprocessor: leaves 102 registers a thread
constexpr int max_filter_groups = 4;            // of 8 filters each
constexpr int max_row_slots = 8;                // 32 columns
constexpr int shared_budget = 24 << 10;         // two blocks fit into the 48 KB that every device has

struct TiledArguments {
  Conv2dTiledPlan plan;
  const float* input;    // [batch,channels,height,width]
  const float* filters;  // [out_channels,channels,taps], or [channels,out_channels,taps] where they are flipped
  const float* bias;     // [out_channels] or nullptr
  float* output;         // [batch,out_channels,out_h,out_w]
  std::int64_t batch;
  int channels;
  int height;
  int width;
  int out_channels;
  int out_h;
  int out_w;
  int padding_h;
  int padding_w;
};

// Where a block's tile begins.
struct TileOrigin {
  std::int64_t sample;
  int row;
  int column;
  int filter;
};

__device__ TileOrigin tile_origin(const Conv2dTiledPlan& plan) {
  const unsigned tiles_w = static_cast<unsigned>(plan.tiles_w);
  const unsigned tiles_h = static_cast<unsigned>(plan.tiles_h);
  TileOrigin origin;
  origin.column = static_cast<int>(blockIdx.x % tiles_w) * plan.row_slots * conv2d_thread_columns;
  origin.row = static_cast<int>(blockIdx.x / tiles_w % tiles_h) * plan.tile_rows;
  origin.sample = static_cast<std::int64_t>(blockIdx.x / tiles_w / tiles_h) * plan.samples;
  origin.filter = static_cast<int>(blockIdx.y) * plan.tile_filters();
  return origin;
}

// One stretch of a row of the input tile: LANES threads copy one row, each WIDTH floats at a time; zeros outside the
// image. With WIDTH 4 a vector lies wholly inside or outside (the width is a multiple of 4, the tile's column too).
template <int WIDTH>
__device__ void load_row(const TiledArguments& a, const float* source, bool inside, int column, int lane, int lanes,
                         float* target) {
  for (int x = lane * WIDTH; x < a.plan.tile_columns_in; x += lanes * WIDTH) {
    const bool valid = inside && column + x >= 0 && column + x < a.width;
    if constexpr (WIDTH == vector_floats) {
      store4(target + x, valid ? load4(source + x) : make_float4(0.0F, 0.0F, 0.0F, 0.0F));
    } else {
      target[x] = valid ? source[x] : 0.0F;
    }
  }
}

// Channels first_channel .. first_channel + count of the input under the tile, as [channel][sample][row][pitch].
template <int WIDTH>
__device__ void load_input_tile(const TiledArguments& a, const TileOrigin& origin, int first_channel, int count,
                                float* tile) {
  constexpr int lanes = WIDTH == vector_floats ? quarter_warp : warp_size;
  const int thread = static_cast<int>(threadIdx.x);
  const int rows_in = a.plan.tile_rows_in();
  const int rows = count * a.plan.samples * rows_in;
  const int column = origin.column - a.padding_w;
  for (int row = thread / lanes; row < rows; row += static_cast<int>(blockDim.x) / lanes) {
    const int plane = row / rows_in;
    const int tile_row = row - plane * rows_in;
    const int channel = plane / a.plan.samples;
    const int tile_sample = plane - channel * a.plan.samples;
    const std::int64_t sample = origin.sample + tile_sample;
    const int y = origin.row + tile_row - a.padding_h;
    const bool inside = sample < a.batch && y >= 0 && y < a.height;
    const std::int64_t offset = ((sample * a.channels + first_channel + channel) * a.height + y) * a.width + column;
    float* target = tile + plane * a.plan.sample_pitch + tile_row * a.plan.pitch;
    load_row<WIDTH>(a, a.input + (inside ? offset : 0), inside, column, thread % lanes, lanes, target);
  }
}

// The same channels of the tile's filters, as [channel][tap][filter]. Neighbouring threads read neighbouring floats.
template <int KERNEL, bool FLIPPED>
__device__ void load_filter_tile(const TiledArguments& a, const TileOrigin& origin, int first_channel, int count,
                                 float* tile) {
  constexpr int taps = KERNEL * KERNEL;
  const int tile_filters = a.plan.tile_filters();
  const int inner = FLIPPED ? tile_filters : count;  // of [outer][inner][taps] as the filters are stored
  const int total = tile_filters * count * taps;
  for (int e = static_cast<int>(threadIdx.x); e < total; e += static_cast<int>(blockDim.x)) {
    const int pair = e / taps;
    const int tap = e - pair * taps;
    const int outer_index = pair / inner;
    const int inner_index = pair - outer_index * inner;
    const int channel = FLIPPED ? outer_index : inner_index;
    const int tile_filter = FLIPPED ? inner_index : outer_index;
    const int filter = origin.filter + tile_filter;
    const std::int64_t c = first_channel + channel;
    const std::int64_t source = FLIPPED ? c * a.out_channels + filter : std::int64_t{filter} * a.channels + c;
    const int target_tap = FLIPPED ? taps - 1 - tap : tap;
    tile[(channel * taps + target_tap) * a.plan.filter_pitch + tile_filter] =
        filter < a.out_channels ? a.filters[source * taps + tap] : 0.0F;
  }
}

// Adds one row of taps: sum[f][j] += filter[q][f] * x[j + q].
template <int KERNEL, int FILTERS>
__device__ __forceinline__ void accumulate_row(const float* input_row, const float* filter_row, int filter_pitch,
                                               float (&sum)[FILTERS][conv2d_thread_columns]) {
  constexpr int reach = round_up(KERNEL + conv2d_thread_columns - 1, vector_floats);
  float x[reach];
#pragma unroll
  for (int j = 0; j < reach; j += vector_floats) {
    const float4 vector = load4(input_row + j);
    x[j] = vector.x;
    x[j + 1] = vector.y;
    x[j + 2] = vector.z;
    x[j + 3] = vector.w;
  }
#pragma unroll
  for (int q = 0; q < KERNEL; ++q) {
#pragma unroll
    for (int f = 0; f < FILTERS; f += vector_floats) {
      const float4 w = load4(filter_row + q * filter_pitch + f);
#pragma unroll
      for (int j = 0; j < conv2d_thread_columns; ++j) {
        sum[f][j] += w.x * x[j + q];
        sum[f + 1][j] += w.y * x[j + q];
        sum[f + 2][j] += w.z * x[j + q];
        sum[f + 3][j] += w.w * x[j + q];
      }
    }
  }
}

// Writes a thread's columns of one filter, those inside the image.
__device__ void write_columns(const TiledArguments& a, std::int64_t sample, int filter, int row, int column, float bias,
                              const float (&sum)[conv2d_thread_columns]) {
  float* target = a.output + ((sample * a.out_channels + filter) * a.out_h + row) * a.out_w + column;
  if (a.plan.vector_stores) {
    store4(target, make_float4(sum[0] + bias, sum[1] + bias, sum[2] + bias, sum[3] + bias));
    return;
  }
#pragma unroll
  for (int j = 0; j < conv2d_thread_columns; ++j) {
    if (column + j < a.out_w) {
      target[j] = sum[j] + bias;
    }
  }
}

// Block: one tile of output. Thread: four columns of one row of one sample, FILTERS filters.
// Shared memory: chunk * samples * sample_pitch floats of input, chunk * taps * filter_pitch floats of filters.
template <int KERNEL, int FILTERS, bool FLIPPED>
__global__ void __launch_bounds__(max_threads, min_blocks) conv2d_tiled_kernel(TiledArguments a) {
  SharedMemory shared;
  float* input_tile = shared.take<float>(static_cast<std::size_t>(a.plan.input_tile_floats()));
  float* filter_tile = shared.take<float>(static_cast<std::size_t>(a.plan.filter_tile_floats()));

  const TileOrigin origin = tile_origin(a.plan);
  const int thread = static_cast<int>(threadIdx.x);
  const int group = thread / a.plan.slots;
  const int slot = thread - group * a.plan.slots;
  const int tile_row_index = slot / a.plan.row_slots;
  const int row_slot = slot - tile_row_index * a.plan.row_slots;
  const int tile_sample = tile_row_index / a.plan.tile_rows;
  const int tile_row = tile_row_index - tile_sample * a.plan.tile_rows;
  const bool computes = group < a.plan.filter_groups && tile_sample < a.plan.samples;
  const int input_offset =
      tile_sample * a.plan.sample_pitch + tile_row * a.plan.pitch + row_slot * conv2d_thread_columns;

  float sum[FILTERS][conv2d_thread_columns] = {};
  for (int first = 0; first < a.channels; first += a.plan.chunk) {
    const int count = min(a.plan.chunk, a.channels - first);
    if (first > 0) {
      __syncthreads();  // every thread has read the channels before
    }
    if (a.plan.vector_loads) {
      load_input_tile<vector_floats>(a, origin, first, count, input_tile);
    } else {
      load_input_tile<1>(a, origin, first, count, input_tile);
    }
    load_filter_tile<KERNEL, FLIPPED>(a, origin, first, count, filter_tile);
    __syncthreads();  // the tiles are complete
    if (computes) {
      const float* input_row = input_tile + input_offset;
      const float* filter_row = filter_tile + group * FILTERS;
      for (int c = 0; c < count; ++c) {
#pragma unroll
        for (int p = 0; p < KERNEL; ++p) {
          accumulate_row<KERNEL, FILTERS>(input_row + p * a.plan.pitch, filter_row + p * KERNEL * a.plan.filter_pitch,
                                          a.plan.filter_pitch, sum);
        }
        input_row += a.plan.samples * a.plan.sample_pitch;
        filter_row += KERNEL * KERNEL * a.plan.filter_pitch;
      }
    }
  }

  const std::int64_t sample = origin.sample + tile_sample;
  const int row = origin.row + tile_row;
  const int column = origin.column + row_slot * conv2d_thread_columns;
  if (!computes || sample >= a.batch || row >= a.out_h || column >= a.out_w) {
    return;
  }
#pragma unroll
  for (int f = 0; f < FILTERS; ++f) {
    const int filter = origin.filter + group * FILTERS + f;
    if (filter < a.out_channels) {
      const float bias = a.bias == nullptr ? 0.0F : a.bias[filter];
      write_columns(a, sample, filter, row, column, bias, sum[f]);
    }
  }
}

using TiledKernel = void (*)(TiledArguments);

template <int KERNEL>
TiledKernel select_kernel(int thread_filters, bool flipped) {
  if (flipped) {
    return thread_filters == 4 ? conv2d_tiled_kernel<KERNEL, 4, true> : conv2d_tiled_kernel<KERNEL, 8, true>;
  }
  return thread_filters == 4 ? conv2d_tiled_kernel<KERNEL, 4, false> : conv2d_tiled_kernel<KERNEL, 8, false>;
}

TiledKernel select_kernel(const Conv2dTiledPlan& plan, bool flipped) {
  switch (plan.kernel) {
    case 1:
      return select_kernel<1>(plan.thread_filters, flipped);
    case 3:
      return select_kernel<3>(plan.thread_filters, flipped);
    case 5:
      return select_kernel<5>(plan.thread_filters, flipped);
    default:
      return select_kernel<7>(plan.thread_filters, flipped);
  }
}

// Pitches of the input tile for the rows and samples that the plan has; see the file's comment.
void set_pitches(Conv2dTiledPlan& plan) {
  const int reach = round_up(plan.kernel + conv2d_thread_columns - 1, vector_floats);
  plan.tile_columns_in = (plan.row_slots - 1) * conv2d_thread_columns + reach;
  const int row = round_up_to_residue(plan.tile_columns_in / vector_floats, plan.row_slots, quarter_warp);
  const int sample = round_up_to_residue(plan.tile_rows_in() * row, plan.tile_rows * plan.row_slots, quarter_warp);
  plan.pitch = row * vector_floats;
  plan.sample_pitch = sample * vector_floats;
}

// Bytes of shared memory that one channel of the tile takes.
int channel_bytes(const Conv2dTiledPlan& plan) {
  return static_cast<int>(sizeof(float)) *
         (plan.samples * plan.sample_pitch + plan.kernel * plan.kernel * plan.filter_pitch);
}

// As many samples a tile as fill a block, while one channel of them fits into shared memory.
void set_samples(Conv2dTiledPlan& plan, std::int64_t batch, int wanted_slots) {
  const int sample_slots = plan.tile_rows * plan.row_slots;
  const bool whole_image = plan.tiles_w == 1 && plan.tiles_h == 1;
  plan.samples = whole_image ? std::max(1, wanted_slots / sample_slots) : 1;
  plan.samples = static_cast<int>(std::min<std::int64_t>(plan.samples, batch));
  while (plan.samples > 1 && channel_bytes(plan) > shared_budget) {
    --plan.samples;
  }
}

}  // namespace

bool conv2d_is_tiled(const Conv2dShape& shape) {
  const bool square = shape.kernel_h == shape.kernel_w;
  const bool specialised = shape.kernel_h == 1 || shape.kernel_h == 3 || shape.kernel_h == 5 || shape.kernel_h == 7;
  return square && specialised && shape.stride_h == 1 && shape.stride_w == 1;
}

Conv2dShape conv2d_data_gradient_shape(const Conv2dShape& shape) {
  return Conv2dShape{.batch = shape.batch,
                     .channels = shape.filters,
                     .height = shape.out_h(),
                     .width = shape.out_w(),
                     .filters = shape.channels,
                     .kernel_h = shape.kernel_h,
                     .kernel_w = shape.kernel_w,
                     .stride_h = 1,
                     .stride_w = 1,
                     .padding_h = shape.kernel_h - 1 - shape.padding_h,
                     .padding_w = shape.kernel_w - 1 - shape.padding_w};
}

Conv2dTiledPlan plan_conv2d_tiled(const Conv2dShape& shape, bool aligned) {
  const int out_h = narrow(shape.out_h(), "the output height of a convolution");
  const int out_w = narrow(shape.out_w(), "the output width of a convolution");
  const int filters = narrow(shape.filters, "the number of filters");
  Conv2dTiledPlan plan;
  plan.kernel = narrow(shape.kernel_h, "the kernel size");
  plan.thread_filters = filters <= 4 ? 4 : 8;
  plan.filter_groups = even_part(divide_up(filters, plan.thread_filters), max_filter_groups);
  // A few floats between taps spread the writes of the filter tile over the banks.
  plan.filter_pitch = plan.tile_filters() + vector_floats;

  const int wanted_slots = wanted_threads / plan.filter_groups;
  plan.row_slots = even_part(divide_up(out_w, conv2d_thread_columns), max_row_slots);
  plan.tile_rows = even_part(out_h, std::max(1, wanted_slots / plan.row_slots));
  plan.tiles_w = divide_up(divide_up(out_w, conv2d_thread_columns), plan.row_slots);
  plan.tiles_h = divide_up(out_h, plan.tile_rows);
  set_pitches(plan);
  set_samples(plan, shape.batch, wanted_slots);
  plan.slots = round_up(plan.samples * plan.tile_rows * plan.row_slots, quarter_warp);

  const int channels = narrow(shape.channels, "the number of channels");
  plan.chunk = even_part(channels, std::max(1, shared_budget / channel_bytes(plan)));
  plan.vector_loads = aligned && shape.width % vector_floats == 0 && shape.padding_w % vector_floats == 0;
  plan.vector_stores = aligned && out_w % conv2d_thread_columns == 0;
  plan.block = dim3(static_cast<unsigned>(round_up(plan.slots * plan.filter_groups, warp_size)));
  plan.grid = dim3(grid_size(divide_up<std::int64_t>(shape.batch, plan.samples) * plan.tiles_h * plan.tiles_w),
                   static_cast<unsigned>(divide_up(filters, plan.tile_filters())));
  plan.shared_bytes = SharedLayout()
                          .take<float>(static_cast<std::size_t>(plan.input_tile_floats()))
                          .take<float>(static_cast<std::size_t>(plan.filter_tile_floats()))
                          .bytes();
  return plan;
}

void conv2d_tiled(const Conv2dShape& shape, const float* input, const float* filters, const float* bias, float* output,
                  bool flipped, cudaStream_t stream) {
  const Conv2dTiledPlan plan = plan_conv2d_tiled(shape, is_aligned16(input) && is_aligned16(output));
  const TiledArguments arguments{.plan = plan,
                                 .input = input,
                                 .filters = filters,
                                 .bias = bias,
                                 .output = output,
                                 .batch = shape.batch,
                                 .channels = static_cast<int>(shape.channels),
                                 .height = static_cast<int>(shape.height),
                                 .width = static_cast<int>(shape.width),
                                 .out_channels = static_cast<int>(shape.filters),
                                 .out_h = static_cast<int>(shape.out_h()),
                                 .out_w = static_cast<int>(shape.out_w()),
                                 .padding_h = static_cast<int>(shape.padding_h),
                                 .padding_w = static_cast<int>(shape.padding_w)};
  launch(select_kernel(plan, flipped), plan.grid, plan.block, plan.shared_bytes, stream, arguments);
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
