// SPDX-License-Identifier: Apache-2.0
#include "touchstone/conv2d_maxpool_sigmoid.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "touchstone/error.h"

namespace touchstone {
namespace {

using Values = std::vector<double>;

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

/// A 2x2 kernel over 4x6: the convolution's output is 3x5, of which 1x2 windows of 2x2 use two rows and four columns.
constexpr Conv2dMaxpoolSigmoidShape shape{
    .conv2d = {.batch = 1, .channels = 1, .height = 4, .width = 6, .filters = 1, .kernel_h = 2, .kernel_w = 2},
    .pool = 2};
const Values input{1, 0, 2, 0, 1, 9,  //
                   0, 3, 0, 1, 0, 9,  //
                   2, 0, 1, 0, 1, 9,  //
                   9, 9, 9, 9, 9, 9};
const Values filters{1, 0, 0, 2};
// The pre-activations with bias 1, of the two windows:
//   8 1 | 5 1
//   1 6 | 1 4

TEST(Conv2dMaxpoolSigmoid, WorkedByHand) {
  const Values bias{1};
  Values output(2);
  std::vector<std::uint8_t> argmax(2);
  reference::conv2d_maxpool_sigmoid_forward(shape, input.data(), filters.data(), bias.data(), output.data(),
                                            argmax.data());
  EXPECT_EQ(argmax, (std::vector<std::uint8_t>{0, 0}));
  EXPECT_DOUBLE_EQ(output[0], sigmoid(8));
  EXPECT_DOUBLE_EQ(output[1], sigmoid(5));
}

TEST(Conv2dMaxpoolSigmoid, TheFirstOfEqualsWins) {
  const Values zeros(4);
  Values output(2);
  std::vector<std::uint8_t> argmax(2, 9);
  reference::conv2d_maxpool_sigmoid_forward(shape, input.data(), zeros.data(), nullptr, output.data(), argmax.data());
  EXPECT_EQ(argmax, (std::vector<std::uint8_t>{0, 0}));
  EXPECT_EQ(output, (Values{0.5, 0.5}));
}

TEST(Conv2dMaxpoolSigmoid, GradientsWorkedByHand) {
  const Values grad_output{4, 16};
  const Values output{0.5, 0.25};  // deltas of 4/4 = 1 and 16 * 3/16 = 3
  const std::vector<std::uint8_t> argmax{3, 1};
  Values grad_filters(4);
  reference::conv2d_maxpool_sigmoid_backward_filters(shape, grad_output.data(), output.data(), argmax.data(),
                                                     input.data(), grad_filters.data());
  // 1 * [3 0; 0 1] from (1, 1) and 3 * [0 1; 1 0] from (0, 3)
  EXPECT_EQ(grad_filters, (Values{3, 3, 3, 1}));
  Values grad_input(24);
  reference::conv2d_maxpool_sigmoid_backward_data(shape, grad_output.data(), output.data(), argmax.data(),
                                                  filters.data(), grad_input.data());
  EXPECT_EQ(grad_input, (Values{0, 0, 0, 3, 0, 0,  //
                                0, 1, 0, 0, 6, 0,  //
                                0, 0, 2, 0, 0, 0,  //
                                0, 0, 0, 0, 0, 0}));
  Values grad_bias(1);
  reference::conv2d_maxpool_sigmoid_backward_bias(shape, grad_output.data(), output.data(), grad_bias.data());
  EXPECT_EQ(grad_bias, (Values{4}));
}

TEST(Conv2dMaxpoolSigmoid, SaysWhatDoesNotFit) {
  EXPECT_NO_THROW(shape.validate());
  const auto refuses = [](auto change) {
    Conv2dMaxpoolSigmoidShape changed = shape;
    change(changed);
    EXPECT_THROW(changed.validate(), Error);
  };
  refuses([](auto& s) { s.conv2d.stride_h = 2; });
  refuses([](auto& s) { s.conv2d.stride_w = 2; });
  refuses([](auto& s) { s.conv2d.padding_h = 1; });
  refuses([](auto& s) { s.conv2d.padding_w = 1; });
  refuses([](auto& s) { s.conv2d.kernel_h = 4; });  // one row of output: no window
  refuses([](auto& s) { s.conv2d.filters = 0; });
  refuses([](auto& s) { s.pool = 1; });
  refuses([](auto& s) { s.pool = 4; });
}

}  // namespace
}  // namespace touchstone
