// SPDX-License-Identifier: Apache-2.0
//
// Convolution, max-pool and sigmoid as one for any kernel size, forward and backward to the data (formulas, ties and
// NaN: include/touchstone/conv2d_maxpool_sigmoid.h). Both read tensors where they are, through the first-level cache:
// neighbouring threads read neighbouring pixels, and the same filters.
//
// Forward a thread computes the pool x pool pre-activations of a window for 4 filters: for each tap pool^2 pixels and 4
// filter values, for 4 * pool^2 multiply-adds. Backward a thread computes a pixel's gradient for 4 channels: it looks
// at each window whose taps may reach the pixel, and where the window's argmax leads a tap there adds delta times the 4
// channels' filter values. An infinite or NaN delta reaches the pixels under its argmax's taps and no others.
//
// Used where conv2d_maxpool_sigmoid_forward.cu and _data.cu have no specialised version.
#include <cmath>

#include "kernels/conv2d_maxpool_sigmoid_device.h"
#include "kernels/conv2d_maxpool_sigmoid_general.h"
#include "kernels/geometry.h"
#include "kernels/launch.h"

namespace touchstone::TOUCHSTONE_BACKEND {
namespace {

constexpr int threads = 128;
constexpr int thread_planes = 4;  // filters forward, channels backward

// Thread: one window for 4 filters (y: which). Filters beyond the last are computed as the last, and not written.
template <int POOL>
__global__ void __launch_bounds__(threads)
    block_forward_general_kernel(BlockSizes s, const float* input, const float* filters, const float* bias,
                                 float* output, std::uint8_t* argmax) {
  const std::int64_t index = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  const std::int64_t sample = index / s.windows();
  if (sample >= s.batch) {
    return;
  }
  const int window = static_cast<int>(index - sample * s.windows());
  const int i = window / s.out_w;
  const int j = window - i * s.out_w;
  const int first_filter = static_cast<int>(blockIdx.y) * thread_planes;
  const float* values[thread_planes];
#pragma unroll
  for (int f = 0; f < thread_planes; ++f) {
    values[f] = filters + std::int64_t{min(first_filter + f, s.filters - 1)} * s.channels * s.taps();
  }

  float sum[thread_planes][POOL * POOL] = {};
  const float* plane = input + sample * s.channels * s.pixels() + (i * s.width + j) * POOL;
  int tap = 0;  // counted over the channels
  for (int c = 0; c < s.channels; ++c) {
    for (int p = 0; p < s.kernel_h; ++p) {
      const float* row = plane + p * s.width;
      for (int q = 0; q < s.kernel_w; ++q) {
#pragma unroll
        for (int position = 0; position < POOL * POOL; ++position) {
          const float x = row[position / POOL * s.width + position % POOL + q];
#pragma unroll
          for (int f = 0; f < thread_planes; ++f) {
            sum[f][position] += values[f][tap] * x;
          }
        }
        ++tap;
      }
    }
    plane += s.pixels();
  }

#pragma unroll
  for (int f = 0; f < thread_planes; ++f) {
    const int filter = first_filter + f;
    if (filter < s.filters) {
      const Pooled best = pool_window<POOL>(sum[f], bias == nullptr ? 0.0F : bias[filter]);
      const std::int64_t target = (sample * s.filters + filter) * s.windows() + window;
      output[target] = sigmoid_value(best.value);
      argmax[target] = static_cast<std::uint8_t>(best.position);
    }
  }
}

// The windows along one axis that have an element whose taps reach pixel `at`: first .. end - 1.
struct Range {
  int first;
  int end;
};

__device__ Range reaching(int at, int kernel, int pool, int windows) {
  const int highest = at - (pool - 1) - (kernel - 1);  // begin of the first window, rounded up
  return {highest <= 0 ? 0 : (highest + pool - 1) / pool, min(at / pool + 1, windows)};
}

// Thread: one pixel for 4 channels (y: which). Channels beyond the last are computed as the last, and not written.
__global__ void __launch_bounds__(threads)
    block_data_general_kernel(BlockSizes s, const float* grad_output, const float* output, const std::uint8_t* argmax,
                              const float* filters, float* grad_input) {
  const std::int64_t index = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  const std::int64_t sample = index / s.pixels();
  if (sample >= s.batch) {
    return;
  }
  const int pixel = static_cast<int>(index - sample * s.pixels());
  const int y = pixel / s.width;
  const int x = pixel - y * s.width;
  const int first_channel = static_cast<int>(blockIdx.y) * thread_planes;
  const Range rows = reaching(y, s.kernel_h, s.pool, s.out_h);
  const Range columns = reaching(x, s.kernel_w, s.pool, s.out_w);

  float sum[thread_planes] = {};
  for (int k = 0; k < s.filters; ++k) {
    const std::int64_t plane = (sample * s.filters + k) * s.windows();
    const float* values = filters + std::int64_t{k} * s.channels * s.taps();
    for (int i = rows.first; i < rows.end; ++i) {
      for (int j = columns.first; j < columns.end; ++j) {
        const std::int64_t window = plane + std::int64_t{i} * s.out_w + j;
        const int position = argmax[window];
        const int p = y - i * s.pool - position / s.pool;
        const int q = x - j * s.pool - position % s.pool;
        if (p < 0 || p >= s.kernel_h || q < 0 || q >= s.kernel_w) {
          continue;
        }
        const float delta = sigmoid_gradient(grad_output[window], output[window]);
#pragma unroll
        for (int c = 0; c < thread_planes; ++c) {
          const int channel = min(first_channel + c, s.channels - 1);
          sum[c] += delta * values[channel * s.taps() + p * s.kernel_w + q];
        }
      }
    }
  }

#pragma unroll
  for (int c = 0; c < thread_planes; ++c) {
    const int channel = first_channel + c;
    if (channel < s.channels) {
      grad_input[(sample * s.channels + channel) * s.pixels() + pixel] = sum[c];
    }
  }
}

dim3 grid_for(std::int64_t elements, int planes) {
  return dim3(grid_size(divide_up<std::int64_t>(elements, threads)), grid_size(divide_up(planes, thread_planes)));
}

}  // namespace

void block_forward_general(const Conv2dMaxpoolSigmoidShape& shape, const float* input, const float* filters,
                           const float* bias, float* output, std::uint8_t* argmax, cudaStream_t stream) {
  const BlockSizes sizes = block_sizes(shape);
  const dim3 grid = grid_for(sizes.batch * sizes.windows(), sizes.filters);
  const auto kernel = sizes.pool == 2 ? block_forward_general_kernel<2> : block_forward_general_kernel<3>;
  launch(kernel, grid, dim3(threads), 0, stream, sizes, input, filters, bias, output, argmax);
}

void block_backward_data_general(const Conv2dMaxpoolSigmoidShape& shape, const float* grad_output, const float* output,
                                 const std::uint8_t* argmax, const float* filters, float* grad_input,
                                 cudaStream_t stream) {
  const BlockSizes sizes = block_sizes(shape);
  const dim3 grid = grid_for(sizes.batch * sizes.pixels(), sizes.channels);
  launch(block_data_general_kernel, grid, dim3(threads), 0, stream, sizes, grad_output, output, argmax, filters,
         grad_input);
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
