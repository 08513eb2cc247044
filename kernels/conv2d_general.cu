// SPDX-License-Identifier: Apache-2.0
//
// The convolution of any kernel size, stride and padding, forward and backward (formulas: include/touchstone/conv2d.h),
// as products of matrices whose elements are looked up in the tensors when a tile of them is brought into shared
// memory ("implicit GEMM"). With m down, n across and r the index of the sum:
//
//                     m            n                        r
//   forward           filter k     output position (n,i,j)  (c,p,q)      filters[m,r] * input under tap r at n
//   backward data     channel c    input pixel (n,y,x)      (k,p,q)      filters[k,m,p,q] * grad_output that met n
//   backward filters  filter k     (c,p,q)                  (n,i,j)      grad_output[m,r] * input under tap n at r
//
// A block computes 32 x 64 elements of the result, 16 steps of the sum at a time; a thread 4 x 4 of them, from two
// vectors of four a step. The 16 threads that share rows read one address, the others read neighbouring vectors: no
// bank conflicts. Tensors are addressed in 64 bits; sizes within a sample in 32.
//
// Used where conv2d_tiled.cu and conv2d_filters_tiled.cu have no specialised version.
#include <algorithm>

#include "kernels/conv2d_general.h"
#include "kernels/geometry.h"
#include "kernels/launch.h"
#include "kernels/shared_memory.h"
#include "kernels/vector_access.h"

namespace touchstone::TOUCHSTONE_BACKEND {
namespace {

constexpr int tile_m = 32;
constexpr int tile_n = 64;
constexpr int tile_r = 16;
constexpr int thread_tile = 4;
constexpr int left_pitch = tile_m + 4;  // spreads the writes of the left tile over the banks
constexpr int threads_n = tile_n / thread_tile;
constexpr int threads = threads_n * tile_m / thread_tile;
[[maybe_unused]] constexpr int min_blocks = 6;  // a multiprocessor: leaves 80 registers, so that nothing spills
static_assert(threads % tile_n == 0, "a thread always loads the same column of the right tile");

// The convolution's sizes as the kernels use them.
struct Sizes {
  std::int64_t batch;
  int channels;
  int height;
  int width;
  int filters;
  int kernel_h;
  int kernel_w;
  int stride_h;
  int stride_w;
  int padding_h;
  int padding_w;
  int out_h;
  int out_w;

  [[nodiscard]] __host__ __device__ int taps() const { return kernel_h * kernel_w; }
  [[nodiscard]] __host__ __device__ int out_positions() const { return out_h * out_w; }
  [[nodiscard]] __host__ __device__ int pixels() const { return height * width; }
};

Sizes sizes_of(const Conv2dShape& shape) {
  narrow(shape.channels * shape.taps(), "channels * taps of a convolution");
  narrow(shape.filters * shape.taps(), "filters * taps of a convolution");
  narrow(shape.out_positions(), "the output plane of a convolution");
  narrow(shape.height * shape.width, "the input plane of a convolution");
  return Sizes{.batch = shape.batch,
               .channels = narrow(shape.channels, "the number of channels"),
               .height = static_cast<int>(shape.height),
               .width = static_cast<int>(shape.width),
               .filters = narrow(shape.filters, "the number of filters"),
               .kernel_h = static_cast<int>(shape.kernel_h),
               .kernel_w = static_cast<int>(shape.kernel_w),
               .stride_h = narrow(shape.stride_h, "the stride"),
               .stride_w = narrow(shape.stride_w, "the stride"),
               .padding_h = static_cast<int>(shape.padding_h),
               .padding_w = static_cast<int>(shape.padding_w),
               .out_h = static_cast<int>(shape.out_h()),
               .out_w = static_cast<int>(shape.out_w())};
}

// A plane (of a channel or a filter) and a tap: what an index c * taps + p * kernel_w + q says.
struct PlaneTap {
  int plane;
  int p;
  int q;
};

__device__ PlaneTap plane_tap(const Sizes& s, int index) {
  const int plane = index / s.taps();
  const int tap = index - plane * s.taps();
  const int p = tap / s.kernel_w;
  return {plane, p, tap - p * s.kernel_w};
}

// A place in a plane of some width.
struct Place {
  int row;
  int column;
};

__device__ Place place(int index, int width) {
  const int row = index / width;
  return {row, index - row * width};
}

// The input under tap (p,q) at output position `out`; 0 in the padding.
__device__ float input_under_tap(const Sizes& s, const float* sample_input, PlaneTap tap, Place out) {
  const std::int64_t y = std::int64_t{out.row} * s.stride_h + tap.p - s.padding_h;
  const std::int64_t x = std::int64_t{out.column} * s.stride_w + tap.q - s.padding_w;
  const bool inside = y >= 0 && y < s.height && x >= 0 && x < s.width;
  return inside ? sample_input[(std::int64_t{tap.plane} * s.height + y) * s.width + x] : 0.0F;
}

// The element of the output's gradient that tap (p,q) of input pixel `in` went into; 0 where there is none.
__device__ float gradient_over_tap(const Sizes& s, const float* sample_gradient, PlaneTap tap, Place in) {
  const int y = in.row + s.padding_h - tap.p;
  const int x = in.column + s.padding_w - tap.q;
  if (y < 0 || x < 0) {
    return 0.0F;
  }
  const int i = y / s.stride_h;
  const int j = x / s.stride_w;
  const bool met = i * s.stride_h == y && j * s.stride_w == x && i < s.out_h && j < s.out_w;
  return met ? sample_gradient[(std::int64_t{tap.plane} * s.out_h + i) * s.out_w + j] : 0.0F;
}

// The three products. Each has
//   rows(), columns()  of the result
//   Column             what a thread keeps of a column of the right factor
//   left(m, r, part), right(column, r, part)   elements of the factors; `part` of the sum is a sample, where the sum
//                      runs over samples, and r runs over 0 .. length() within it
//   write(m, n, value)

struct Forward {
  Sizes s;
  const float* input;
  const float* filters;
  const float* bias;
  float* output;

  struct Column {
    const float* sample_input;
    Place out;
  };

  [[nodiscard]] __device__ int rows() const { return s.filters; }
  [[nodiscard]] __device__ std::int64_t columns() const { return s.batch * s.out_positions(); }
  [[nodiscard]] __device__ int length() const { return s.channels * s.taps(); }
  [[nodiscard]] __device__ Column column(std::int64_t n) const {
    const std::int64_t sample = n / s.out_positions();
    return {input + sample * s.channels * s.pixels(), place(static_cast<int>(n - sample * s.out_positions()), s.out_w)};
  }
  [[nodiscard]] __device__ float left(int m, int r, std::int64_t /*part*/) const {
    return filters[std::int64_t{m} * length() + r];
  }
  [[nodiscard]] __device__ float right(const Column& column, int r, std::int64_t /*part*/) const {
    return input_under_tap(s, column.sample_input, plane_tap(s, r), column.out);
  }
  __device__ void write(int m, std::int64_t n, float value) const {
    const std::int64_t sample = n / s.out_positions();
    const std::int64_t position = n - sample * s.out_positions();
    output[(sample * s.filters + m) * s.out_positions() + position] = value + (bias == nullptr ? 0.0F : bias[m]);
  }
};

struct BackwardData {
  Sizes s;
  const float* grad_output;
  const float* filters;
  float* grad_input;

  struct Column {
    const float* sample_gradient;
    Place in;
  };

  [[nodiscard]] __device__ int rows() const { return s.channels; }
  [[nodiscard]] __device__ std::int64_t columns() const { return s.batch * s.pixels(); }
  [[nodiscard]] __device__ int length() const { return s.filters * s.taps(); }
  [[nodiscard]] __device__ Column column(std::int64_t n) const {
    const std::int64_t sample = n / s.pixels();
    return {grad_output + sample * s.filters * s.out_positions(),
            place(static_cast<int>(n - sample * s.pixels()), s.width)};
  }
  [[nodiscard]] __device__ float left(int m, int r, std::int64_t /*part*/) const {
    const int filter = r / s.taps();
    const int tap = r - filter * s.taps();
    return filters[(std::int64_t{filter} * s.channels + m) * s.taps() + tap];
  }
  [[nodiscard]] __device__ float right(const Column& column, int r, std::int64_t /*part*/) const {
    return gradient_over_tap(s, column.sample_gradient, plane_tap(s, r), column.in);
  }
  __device__ void write(int m, std::int64_t n, float value) const {
    const std::int64_t sample = n / s.pixels();
    grad_input[(sample * s.channels + m) * s.pixels() + (n - sample * s.pixels())] = value;
  }
};

struct BackwardFilters {
  Sizes s;
  const float* grad_output;
  const float* input;
  float* partials;  // [splits,filters,channels,taps]

  using Column = PlaneTap;

  [[nodiscard]] __device__ int rows() const { return s.filters; }
  [[nodiscard]] __device__ std::int64_t columns() const { return s.channels * s.taps(); }
  [[nodiscard]] __device__ int length() const { return s.out_positions(); }
  [[nodiscard]] __device__ Column column(std::int64_t n) const { return plane_tap(s, static_cast<int>(n)); }
  [[nodiscard]] __device__ float left(int m, int r, std::int64_t part) const {
    return grad_output[(part * s.filters + m) * s.out_positions() + r];
  }
  [[nodiscard]] __device__ float right(const Column& column, int r, std::int64_t part) const {
    return input_under_tap(s, input + part * s.channels * s.pixels(), column, place(r, s.out_w));
  }
  __device__ void write(int m, std::int64_t n, float value) const {
    partials[(std::int64_t{static_cast<int>(blockIdx.z)} * s.filters + m) * columns() + n] = value;
  }
};

// Adds tile_r steps: sum[a][b] += left[r][row + a] * right[r][column + b].
__device__ __forceinline__ void accumulate_tile(const float* left, const float* right,
                                                float (&sum)[thread_tile][thread_tile]) {
#pragma unroll
  for (int r = 0; r < tile_r; ++r) {
    const float4 a = load4(left + r * left_pitch);
    const float4 b = load4(right + r * tile_n);
    const float rows[thread_tile] = {a.x, a.y, a.z, a.w};
    const float columns[thread_tile] = {b.x, b.y, b.z, b.w};
#pragma unroll
    for (int m = 0; m < thread_tile; ++m) {
#pragma unroll
      for (int n = 0; n < thread_tile; ++n) {
        sum[m][n] += rows[m] * columns[n];
      }
    }
  }
}

// Block: a tile of tile_m x tile_n elements of the result (x: columns, y: rows), for the parts
// blockIdx.z * block_parts .. of the sum. Thread: 4 x 4 elements. Shared memory: 2 tiles of tile_r steps.
template <class Product>
__global__ void __launch_bounds__(threads, min_blocks)
    conv2d_general_kernel(Product product, std::int64_t parts, std::int64_t block_parts) {
  SharedMemory shared;
  float* left = shared.take<float>(tile_r * left_pitch);  // [r][m]
  float* right = shared.take<float>(tile_r * tile_n);     // [r][n]

  const int thread = static_cast<int>(threadIdx.x);
  const int first_m = static_cast<int>(blockIdx.y) * tile_m;
  const std::int64_t first_n = std::int64_t{blockIdx.x} * tile_n;
  const int thread_m = thread / threads_n * thread_tile;
  const int thread_n = thread % threads_n * thread_tile;
  const int load_n = thread % tile_n;
  const bool loads_right = first_n + load_n < product.columns();
  const typename Product::Column column = product.column(loads_right ? first_n + load_n : 0);

  float sum[thread_tile][thread_tile] = {};
  const std::int64_t first_part = std::int64_t{blockIdx.z} * block_parts;
  const std::int64_t end_part = min(first_part + block_parts, parts);
  for (std::int64_t part = first_part; part < end_part; ++part) {
    for (int first_r = 0; first_r < product.length(); first_r += tile_r) {
      // Neighbouring threads read neighbouring steps of the left factor, and neighbouring columns of the right.
      for (int e = thread; e < tile_r * tile_m; e += threads) {
        const int m = first_m + e / tile_r;
        const int r = first_r + e % tile_r;
        const bool valid = m < product.rows() && r < product.length();
        left[e % tile_r * left_pitch + e / tile_r] = valid ? product.left(m, r, part) : 0.0F;
      }
      for (int row = thread / tile_n; row < tile_r; row += threads / tile_n) {
        const int r = first_r + row;
        const bool valid = loads_right && r < product.length();
        right[row * tile_n + load_n] = valid ? product.right(column, r, part) : 0.0F;
      }
      __syncthreads();  // the tiles are complete
      accumulate_tile(left + thread_m, right + thread_n, sum);
      __syncthreads();  // and read by all, before the next ones overwrite them
    }
  }

#pragma unroll
  for (int a = 0; a < thread_tile; ++a) {
#pragma unroll
    for (int b = 0; b < thread_tile; ++b) {
      const int m = first_m + thread_m + a;
      const std::int64_t n = first_n + thread_n + b;
      if (m < product.rows() && n < product.columns()) {
        product.write(m, n, sum[a][b]);
      }
    }
  }
}

constexpr std::size_t shared_bytes =
    SharedLayout().take<float>(tile_r * left_pitch).take<float>(tile_r * tile_n).bytes();

template <class Product>
void launch_product(const Product& product, std::int64_t rows, std::int64_t columns, std::int64_t parts,
                    std::int64_t splits, cudaStream_t stream) {
  const dim3 grid(grid_size(divide_up<std::int64_t>(columns, tile_n)), grid_size(divide_up<std::int64_t>(rows, tile_m)),
                  grid_size(splits));
  launch(conv2d_general_kernel<Product>, grid, dim3(threads), shared_bytes, stream, product, parts,
         divide_up(parts, splits));
}

}  // namespace

void conv2d_general_forward(const Conv2dShape& shape, const float* input, const float* filters, const float* bias,
                            float* output, cudaStream_t stream) {
  const Forward product{sizes_of(shape), input, filters, bias, output};
  launch_product(product, shape.filters, shape.batch * shape.out_positions(), 1, 1, stream);
}

void conv2d_general_backward_data(const Conv2dShape& shape, const float* grad_output, const float* filters,
                                  float* grad_input, cudaStream_t stream) {
  const BackwardData product{sizes_of(shape), grad_output, filters, grad_input};
  launch_product(product, shape.channels, shape.batch * shape.height * shape.width, 1, 1, stream);
}

std::int64_t conv2d_general_splits(const Conv2dShape& shape) {
  constexpr std::int64_t wanted_blocks = 512;
  const std::int64_t tiles =
      divide_up<std::int64_t>(shape.filters, tile_m) * divide_up<std::int64_t>(shape.channels * shape.taps(), tile_n);
  const std::int64_t splits =
      std::clamp<std::int64_t>(wanted_blocks / tiles, 1, std::max<std::int64_t>(shape.batch, 1));
  const std::int64_t samples = divide_up(shape.batch, splits);
  return samples == 0 ? 1 : divide_up(shape.batch, samples);
}

void conv2d_general_backward_filters(const Conv2dShape& shape, const float* grad_output, const float* input,
                                     float* partials, cudaStream_t stream) {
  const BackwardFilters product{sizes_of(shape), grad_output, input, partials};
  launch_product(product, shape.filters, shape.channels * shape.taps(), shape.batch, conv2d_general_splits(shape),
                 stream);
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
