// SPDX-License-Identifier: Apache-2.0
//
// Max-pool with argmax, forward and backward (formulas, ties and NaN: include/touchstone/maxpool.h). Memory-bound:
// forward reads the input once and writes 8 bytes an output; backward reads 8 bytes a window and writes the gradient of
// the input once.
//
// Backward gathers: each input element looks at the windows that cover it, in scan order, and adds the gradients of
// those that chose it. No atomics, no prior zeroing, and a fixed order also where windows overlap.
#include "kernels/geometry.h"
#include "kernels/launch.h"
#include "kernels/maxpool.h"
#include "kernels/vector_access.h"

namespace touchstone::TOUCHSTONE_BACKEND {
namespace {

constexpr int threads = 256;

// The pool's sizes as the kernels use them; planes are counted over batch and channels.
struct Sizes {
  int height;
  int width;
  int kernel_h;
  int kernel_w;
  int stride_h;
  int stride_w;
  int padding_h;
  int padding_w;
  int out_h;
  int out_w;
};

Sizes sizes_of(const MaxpoolShape& shape) {
  return Sizes{.height = narrow(shape.height, "the height of a max-pool's input"),
               .width = narrow(shape.width, "the width of a max-pool's input"),
               .kernel_h = narrow(shape.kernel_h, "the window of a max-pool"),
               .kernel_w = narrow(shape.kernel_w, "the window of a max-pool"),
               .stride_h = narrow(shape.stride_h, "the stride of a max-pool"),
               .stride_w = narrow(shape.stride_w, "the stride of a max-pool"),
               .padding_h = static_cast<int>(shape.padding_h),
               .padding_w = static_cast<int>(shape.padding_w),
               .out_h = static_cast<int>(shape.out_h()),
               .out_w = static_cast<int>(shape.out_w())};
}

// The larger of two in scan order: a later one wins only where it is greater.
struct Best {
  float value;
  int offset;

  __device__ void consider(float other, int other_offset) {
    if (other > value) {
      value = other;
      offset = other_offset;
    }
  }
};

// Thread: one output.
__global__ void __launch_bounds__(threads)
    maxpool_forward_kernel(Sizes s, std::int64_t count, const float* input, float* output, std::int32_t* argmax) {
  const std::int64_t index = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  if (index >= count) {
    return;
  }
  const std::int64_t row_index = index / s.out_w;
  const std::int64_t plane = row_index / s.out_h;
  const int i = static_cast<int>(row_index - plane * s.out_h);
  const int j = static_cast<int>(index - row_index * s.out_w);
  const float* values = input + plane * s.height * s.width;

  const std::int64_t top = std::int64_t{i} * s.stride_h - s.padding_h;
  const std::int64_t left = std::int64_t{j} * s.stride_w - s.padding_w;
  const int first_y = static_cast<int>(max(top, std::int64_t{0}));
  const int first_x = static_cast<int>(max(left, std::int64_t{0}));
  const int end_y = static_cast<int>(min(top + s.kernel_h, std::int64_t{s.height}));
  const int end_x = static_cast<int>(min(left + s.kernel_w, std::int64_t{s.width}));

  Best best{values[first_y * s.width + first_x], first_y * s.width + first_x};
  for (int y = first_y; y < end_y; ++y) {
    for (int x = first_x; x < end_x; ++x) {
      best.consider(values[y * s.width + x], y * s.width + x);
    }
  }
  output[index] = best.value;
  argmax[index] = best.offset;
}

// The window of 2 x 2 with stride 2, no padding and an even width, at aligned addresses. Thread: two neighbouring
// outputs where out_w is even, from one vector of each input row.
__global__ void __launch_bounds__(threads)
    maxpool_forward_2x2_kernel(int width, int height, int out_h, std::int64_t pairs, const float* input, float* output,
                               std::int32_t* argmax) {
  const std::int64_t index = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  if (index >= pairs) {
    return;
  }
  const int row_pairs = width / 4;
  const std::int64_t row_index = index / row_pairs;
  const std::int64_t plane = row_index / out_h;
  const int y = 2 * static_cast<int>(row_index - plane * out_h);
  const int x = 4 * static_cast<int>(index - row_index * row_pairs);
  const float* row = input + (plane * height + y) * width + x;
  const float4 upper = load4(row);
  const float4 lower = load4(row + width);
  const int offset = y * width + x;

  Best left{upper.x, offset};
  left.consider(upper.y, offset + 1);
  left.consider(lower.x, offset + width);
  left.consider(lower.y, offset + width + 1);
  Best right{upper.z, offset + 2};
  right.consider(upper.w, offset + 3);
  right.consider(lower.z, offset + width + 2);
  right.consider(lower.w, offset + width + 3);
  store_vector(output + 2 * index, make_float2(left.value, right.value));
  store_vector(argmax + 2 * index, make_int2(left.offset, right.offset));
}

// The windows along one axis that cover position `at`: first .. end - 1.
struct Range {
  int first;
  int end;
};

__device__ Range covering(int at, int kernel, int stride, int padding, int windows) {
  const std::int64_t position = std::int64_t{at} + padding;
  const int first = position < kernel ? 0 : static_cast<int>((position - kernel) / stride + 1);
  const int end = static_cast<int>(min(position / stride + 1, std::int64_t{windows}));
  return {first, end};
}

// Thread: one input element.
__global__ void __launch_bounds__(threads)
    maxpool_backward_kernel(Sizes s, std::int64_t count, const float* grad_output, const std::int32_t* argmax,
                            float* grad_input) {
  const std::int64_t index = std::int64_t{blockIdx.x} * threads + threadIdx.x;
  if (index >= count) {
    return;
  }
  const std::int64_t row_index = index / s.width;
  const std::int64_t plane = row_index / s.height;
  const int y = static_cast<int>(row_index - plane * s.height);
  const int x = static_cast<int>(index - row_index * s.width);
  const int offset = y * s.width + x;
  const std::int64_t plane_windows = plane * s.out_h * s.out_w;

  const Range rows = covering(y, s.kernel_h, s.stride_h, s.padding_h, s.out_h);
  const Range columns = covering(x, s.kernel_w, s.stride_w, s.padding_w, s.out_w);
  float sum = 0.0F;
  for (int i = rows.first; i < rows.end; ++i) {
    for (int j = columns.first; j < columns.end; ++j) {
      const std::int64_t window = plane_windows + std::int64_t{i} * s.out_w + j;
      if (argmax[window] == offset) {
        sum += grad_output[window];
      }
    }
  }
  grad_input[index] = sum;
}

bool is_2x2(const MaxpoolShape& shape) {
  return shape.kernel_h == 2 && shape.kernel_w == 2 && shape.stride_h == 2 && shape.stride_w == 2 &&
         shape.padding_h == 0 && shape.padding_w == 0 && shape.width % 4 == 0;
}

dim3 grid_for(std::int64_t count) { return dim3(grid_size(divide_up<std::int64_t>(count, threads))); }

}  // namespace

void maxpool_forward(const MaxpoolShape& shape, const float* input, float* output, std::int32_t* argmax,
                     cudaStream_t stream) {
  shape.validate();
  const std::int64_t count = shape.output_count();
  if (count == 0) {
    return;
  }
  const Sizes sizes = sizes_of(shape);
  if (is_2x2(shape) && is_aligned16(input) && is_aligned16(output) && is_aligned16(argmax)) {
    launch(maxpool_forward_2x2_kernel, grid_for(count / 2), dim3(threads), 0, stream, sizes.width, sizes.height,
           sizes.out_h, count / 2, input, output, argmax);
  } else {
    launch(maxpool_forward_kernel, grid_for(count), dim3(threads), 0, stream, sizes, count, input, output, argmax);
  }
}

void maxpool_backward(const MaxpoolShape& shape, const float* grad_output, const std::int32_t* argmax,
                      float* grad_input, cudaStream_t stream) {
  shape.validate();
  const std::int64_t count = shape.input_count();
  if (count == 0) {
    return;
  }
  launch(maxpool_backward_kernel, grid_for(count), dim3(threads), 0, stream, sizes_of(shape), count, grad_output,
         argmax, grad_input);
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
