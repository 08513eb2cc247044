// SPDX-License-Identifier: Apache-2.0
//
// Convolution, max-pool and sigmoid as one block, in double precision: the three operations one after the other, with
// the argmax told by its position within the window instead of by its offset within the plane.
#include "touchstone/conv2d_maxpool_sigmoid.h"

#include <cstddef>
#include <cstdint>
#include <vector>

#include <fmt/format.h>

#include "touchstone/error.h"
#include "touchstone/sigmoid.h"

namespace touchstone {

void Conv2dMaxpoolSigmoidShape::validate() const {
  conv2d.validate();
  if (conv2d.stride_h != 1 || conv2d.stride_w != 1 || conv2d.padding_h != 0 || conv2d.padding_w != 0) {
    throw Error(
        fmt::format("conv2d_maxpool_sigmoid: the convolution has stride {}x{} and padding {}x{}; it must have stride "
                    "1x1 and padding 0x0",
                    conv2d.stride_h, conv2d.stride_w, conv2d.padding_h, conv2d.padding_w));
  }
  if (pool != 2 && pool != 3) {
    throw Error(fmt::format("conv2d_maxpool_sigmoid: the pool is {}; it must be 2 or 3", pool));
  }
  maxpool().validate();
}

namespace reference {

namespace {

std::size_t to_size(std::int64_t count) { return static_cast<std::size_t>(count); }

/// Calls function(index of the window among all outputs, offset of its first element within its plane).
template <class Function>
void for_each_window(const Conv2dMaxpoolSigmoidShape& shape, Function function) {
  std::size_t index = 0;
  for (std::int64_t plane = 0; plane < shape.conv2d.batch * shape.conv2d.filters; ++plane) {
    for (std::int64_t i = 0; i < shape.out_h(); ++i) {
      for (std::int64_t j = 0; j < shape.out_w(); ++j) {
        function(index++, (i * shape.conv2d.out_w() + j) * shape.pool);
      }
    }
  }
}

/// The gradient by the convolution's output: delta at each window's argmax, zero elsewhere.
std::vector<double> grad_preactivations(const Conv2dMaxpoolSigmoidShape& shape, const double* grad_output,
                                        const double* output, const std::uint8_t* argmax) {
  std::vector<double> delta(to_size(shape.output_count()));
  sigmoid_backward(shape.output_count(), grad_output, output, delta.data());
  std::vector<std::int32_t> offsets(delta.size());
  for_each_window(shape, [&](std::size_t index, std::int64_t first) {
    const std::int64_t position = argmax[index];
    offsets[index] =
        static_cast<std::int32_t>(first + position / shape.pool * shape.conv2d.out_w() + position % shape.pool);
  });
  std::vector<double> gradient(to_size(shape.conv2d.output_count()));
  maxpool_backward(shape.maxpool(), delta.data(), offsets.data(), gradient.data());
  return gradient;
}

}  // namespace

void conv2d_maxpool_sigmoid_forward(const Conv2dMaxpoolSigmoidShape& shape, const double* input, const double* filters,
                                    const double* bias, double* output, std::uint8_t* argmax) {
  shape.validate();
  std::vector<double> preactivations(to_size(shape.conv2d.output_count()));
  conv2d_forward(shape.conv2d, input, filters, bias, preactivations.data());
  std::vector<std::int32_t> offsets(to_size(shape.output_count()));
  maxpool_forward(shape.maxpool(), preactivations.data(), output, offsets.data());
  for_each_window(shape, [&](std::size_t index, std::int64_t first) {
    const std::int64_t within = offsets[index] - first;
    const std::int64_t width = shape.conv2d.out_w();
    argmax[index] = static_cast<std::uint8_t>(within / width * shape.pool + within % width);
  });
  sigmoid_forward(shape.output_count(), output, output);
}

void conv2d_maxpool_sigmoid_backward_data(const Conv2dMaxpoolSigmoidShape& shape, const double* grad_output,
                                          const double* output, const std::uint8_t* argmax, const double* filters,
                                          double* grad_input) {
  shape.validate();
  conv2d_backward_data(shape.conv2d, grad_preactivations(shape, grad_output, output, argmax).data(), filters,
                       grad_input);
}

void conv2d_maxpool_sigmoid_backward_filters(const Conv2dMaxpoolSigmoidShape& shape, const double* grad_output,
                                             const double* output, const std::uint8_t* argmax, const double* input,
                                             double* grad_filters) {
  shape.validate();
  conv2d_backward_filters(shape.conv2d, grad_preactivations(shape, grad_output, output, argmax).data(), input,
                          grad_filters);
}

void conv2d_maxpool_sigmoid_backward_bias(const Conv2dMaxpoolSigmoidShape& shape, const double* grad_output,
                                          const double* output, double* grad_bias) {
  shape.validate();
  const std::vector<std::uint8_t> any_position(to_size(shape.output_count()));
  conv2d_backward_bias(shape.conv2d, grad_preactivations(shape, grad_output, output, any_position.data()).data(),
                       grad_bias);
}

}  // namespace reference
}  // namespace touchstone
