// SPDX-License-Identifier: Apache-2.0
#include "touchstone/conv2d.h"

#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/central_differences.h"
#include "tests/reference_values.h"
#include "touchstone/error.h"

namespace touchstone {
namespace {

using testing::central_differences;
using ::testing::Each;
using ::testing::ElementsAre;
using testing::expect_gradient;
using ::testing::HasSubstr;
using testing::inner_product;
using testing::poison;
using testing::random_integers;
using testing::random_reals;

struct NamedShape {
  std::string name;
  Conv2dShape shape;
};

const std::vector<NamedShape>& shapes() {
  static const std::vector<NamedShape> all = {
      {"1x1", {}},
      {"1x1 kernel", {.batch = 2, .channels = 3, .height = 2, .width = 3, .filters = 2}},
      {"window = input", {.channels = 2, .height = 5, .width = 4, .filters = 3, .kernel_h = 5, .kernel_w = 4}},
      {"stride > window",
       {.channels = 2,
        .height = 9,
        .width = 8,
        .filters = 2,
        .kernel_h = 2,
        .kernel_w = 1,
        .stride_h = 3,
        .stride_w = 2}},
      {"stride that does not divide",
       {.batch = 2, .height = 8, .width = 9, .filters = 2, .kernel_h = 3, .kernel_w = 2, .stride_h = 2, .stride_w = 3}},
      {"padding reached on the near side only",
       {.height = 6,
        .width = 7,
        .filters = 2,
        .kernel_h = 3,
        .kernel_w = 4,
        .stride_h = 2,
        .stride_w = 2,
        .padding_h = 1,
        .padding_w = 1}},
      {"padding along one axis",
       {.channels = 2, .height = 4, .width = 6, .kernel_h = 3, .kernel_w = 2, .padding_h = 2}},
      {"largest padding",
       {.batch = 2,
        .height = 3,
        .width = 4,
        .filters = 2,
        .kernel_h = 3,
        .kernel_w = 2,
        .padding_h = 2,
        .padding_w = 1}},
      {"kernel larger than the image",
       {.channels = 2,
        .height = 2,
        .width = 1,
        .filters = 2,
        .kernel_h = 4,
        .kernel_w = 3,
        .padding_h = 1,
        .padding_w = 2}},
      {"strides and paddings that differ",
       {.batch = 2,
        .channels = 2,
        .height = 10,
        .width = 7,
        .filters = 3,
        .kernel_h = 4,
        .kernel_w = 3,
        .stride_h = 3,
        .stride_w = 2,
        .padding_h = 1,
        .padding_w = 2}},
      {"one channel", {.batch = 2, .height = 7, .width = 6, .filters = 4, .kernel_h = 3, .kernel_w = 2}},
      {"one filter", {.batch = 2, .channels = 4, .height = 5, .width = 7, .kernel_h = 2, .kernel_w = 3}},
      {"primes", {.batch = 3, .channels = 5, .height = 11, .width = 7, .filters = 2, .kernel_h = 3, .kernel_w = 5}},
      {"empty batch", {.batch = 0, .channels = 2, .height = 4, .width = 5, .filters = 3, .kernel_h = 2, .kernel_w = 3}},
  };
  return all;
}

/// The definition, letter by letter: one output element.
double definition(const Conv2dShape& s, const std::vector<double>& input, const std::vector<double>& filters,
                  double bias, std::int64_t n, std::int64_t k, std::int64_t i, std::int64_t j) {
  double sum = bias;
  for (std::int64_t c = 0; c < s.channels; ++c) {
    for (std::int64_t p = 0; p < s.kernel_h; ++p) {
      for (std::int64_t q = 0; q < s.kernel_w; ++q) {
        const std::int64_t y = i * s.stride_h + p - s.padding_h;
        const std::int64_t x = j * s.stride_w + q - s.padding_w;
        if (y >= 0 && y < s.height && x >= 0 && x < s.width) {
          sum += input[static_cast<std::size_t>(((n * s.channels + c) * s.height + y) * s.width + x)] *
                 filters[static_cast<std::size_t>(((k * s.channels + c) * s.kernel_h + p) * s.kernel_w + q)];
        }
      }
    }
  }
  return sum;
}

std::vector<double> forward(const Conv2dShape& shape, const std::vector<double>& input,
                            const std::vector<double>& filters, const std::vector<double>& bias) {
  std::vector<double> output = poison(shape.output_count());
  reference::conv2d_forward(shape, input.data(), filters.data(), bias.empty() ? nullptr : bias.data(), output.data());
  return output;
}

std::vector<double> backward_data(const Conv2dShape& shape, const std::vector<double>& grad_output,
                                  const std::vector<double>& filters) {
  std::vector<double> grad_input = poison(shape.input_count());
  reference::conv2d_backward_data(shape, grad_output.data(), filters.data(), grad_input.data());
  return grad_input;
}

std::vector<double> backward_filters(const Conv2dShape& shape, const std::vector<double>& grad_output,
                                     const std::vector<double>& input) {
  std::vector<double> grad_filters = poison(shape.filters_count());
  reference::conv2d_backward_filters(shape, grad_output.data(), input.data(), grad_filters.data());
  return grad_filters;
}

std::vector<double> backward_bias(const Conv2dShape& shape, const std::vector<double>& grad_output) {
  std::vector<double> grad_bias = poison(shape.filters);
  reference::conv2d_backward_bias(shape, grad_output.data(), grad_bias.data());
  return grad_bias;
}

// A 3x4 image, a 2x2 filter, stride 1, no padding: the output is 2x3.
//
//   image  1 2 3 4    filter  1  2    bias 10
//          5 6 7 8            3 -1
//          9 0 1 2
const Conv2dShape worked_shape{.height = 3, .width = 4, .kernel_h = 2, .kernel_w = 2};
const std::vector<double> worked_image{1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2};
const std::vector<double> worked_filter{1, 2, 3, -1};
const std::vector<double> worked_grad{1, 0, 2, -1, 3, 0};

TEST(Conv2dReference, ForwardWorkedByHand) {
  // [0,0]: 1*1 + 2*2 + 3*5 - 1*6 = 14    [0,1]: 1*2 + 2*3 + 3*6 - 1*7 = 19    [0,2]: 1*3 + 2*4 + 3*7 - 1*8 = 24
  // [1,0]: 1*5 + 2*6 + 3*9 - 1*0 = 44    [1,1]: 1*6 + 2*7 + 3*0 - 1*1 = 19    [1,2]: 1*7 + 2*8 + 3*1 - 1*2 = 24
  EXPECT_THAT(forward(worked_shape, worked_image, worked_filter, {10}), ElementsAre(24, 29, 34, 54, 29, 34));
  EXPECT_THAT(forward(worked_shape, worked_image, worked_filter, {}), ElementsAre(14, 19, 24, 44, 19, 24));
}

TEST(Conv2dReference, ForwardWithStrideAndPaddingWorkedByHand) {
  // Rows: stride 2, padding 1, so output row 0 reads image rows -1 and 0, row 1 rows 1 and 2. Columns: stride 3, no
  // padding: only columns 0 and 1.
  // [0,0]: 3*1 - 1*2 = 1    [1,0]: 1*5 + 2*6 + 3*9 - 1*0 = 44
  Conv2dShape shape = worked_shape;
  shape.stride_h = 2;
  shape.stride_w = 3;
  shape.padding_h = 1;
  EXPECT_THAT(forward(shape, worked_image, worked_filter, {}), ElementsAre(1, 44));
}

TEST(Conv2dReference, BackwardWorkedByHand) {
  // The gradient by the output is  1 0 2
  //                               -1 3 0
  // By the image: each of its elements g[i,j] adds g * (1 2 / 3 -1) with the corner at i,j.
  //   row 0:  1, 2, 2*1, 2*2                             =  1  2  2  4
  //   row 1:  3 - 1, -1 - 2 + 3, 2*3 + 3*2, 2*(-1)       =  2  0 12 -2
  //   row 2:  -1*3, 1 + 3*3, 3*(-1), 0                   = -3 10 -3  0
  EXPECT_THAT(backward_data(worked_shape, worked_grad, worked_filter),
              ElementsAre(1, 2, 2, 4, 2, 0, 12, -2, -3, 10, -3, 0));
  // By the filter: tap (p,q) is the inner product of g with the image from (p,q) on.
  //   (0,0): 1*1 + 2*3 - 5 + 3*6 = 20     (0,1): 2 + 2*4 - 6 + 3*7 = 25
  //   (1,0): 5 + 2*7 - 9 + 3*0   = 10     (1,1): 6 + 2*8 - 0 + 3*1 = 25
  EXPECT_THAT(backward_filters(worked_shape, worked_grad, worked_image), ElementsAre(20, 25, 10, 25));
  // By the bias: 1 + 0 + 2 - 1 + 3 + 0 = 5.
  EXPECT_THAT(backward_bias(worked_shape, worked_grad), ElementsAre(5));
}

TEST(Conv2dReference, ForwardIsTheDefinition) {
  for (const auto& [name, shape] : shapes()) {
    SCOPED_TRACE(name);
    shape.validate();
    const std::vector<double> input = random_integers(shape.input_count(), 9, 1);
    const std::vector<double> filters = random_integers(shape.filters_count(), 9, 2);
    const std::vector<double> bias = random_integers(shape.filters, 9, 3);
    std::vector<double> expected;
    for (std::int64_t n = 0; n < shape.batch; ++n) {
      for (std::int64_t k = 0; k < shape.filters; ++k) {
        for (std::int64_t i = 0; i < shape.out_h(); ++i) {
          for (std::int64_t j = 0; j < shape.out_w(); ++j) {
            expected.push_back(definition(shape, input, filters, bias[static_cast<std::size_t>(k)], n, k, i, j));
          }
        }
      }
    }
    EXPECT_EQ(forward(shape, input, filters, bias), expected);
  }
}

// <conv(x,w), g> = <x, backward_data(g,w)> = <w, backward_filters(x,g)>: on integers without rounding.
TEST(Conv2dReference, ForwardAndBackwardAreAdjoint) {
  for (const auto& [name, shape] : shapes()) {
    SCOPED_TRACE(name);
    const std::vector<double> input = random_integers(shape.input_count(), 9, 4);
    const std::vector<double> filters = random_integers(shape.filters_count(), 9, 5);
    const std::vector<double> grad_output = random_integers(shape.output_count(), 9, 6);
    const double product = inner_product(forward(shape, input, filters, {}), grad_output);
    EXPECT_EQ(inner_product(input, backward_data(shape, grad_output, filters)), product);
    EXPECT_EQ(inner_product(filters, backward_filters(shape, grad_output, input)), product);
  }
}

TEST(Conv2dReference, GradientsAgreeWithCentralDifferences) {
  for (const auto& [name, shape] : shapes()) {
    SCOPED_TRACE(name);
    std::vector<double> input = random_reals(shape.input_count(), 7);
    std::vector<double> filters = random_reals(shape.filters_count(), 8);
    std::vector<double> bias = random_reals(shape.filters, 9);
    const std::vector<double> grad_output = random_reals(shape.output_count(), 10);
    const auto objective = [&, s = shape] { return inner_product(forward(s, input, filters, bias), grad_output); };
    expect_gradient(backward_data(shape, grad_output, filters), central_differences(input, objective));
    expect_gradient(backward_filters(shape, grad_output, input), central_differences(filters, objective));
    expect_gradient(backward_bias(shape, grad_output), central_differences(bias, objective));
  }
}

TEST(Conv2dReference, AnEmptyBatchHasZeroParameterGradients) {
  const Conv2dShape shape{.batch = 0, .height = 3, .width = 4, .filters = 2, .kernel_h = 2, .kernel_w = 3};
  EXPECT_THAT(backward_filters(shape, {}, {}), Each(0));
  EXPECT_THAT(backward_bias(shape, {}), ElementsAre(0, 0));
}

TEST(Conv2dReference, PaddingIsNeverMultiplied) {
  // Column -1 is padding, where 0 * infinity would be NaN. What is left: [0]: 2*1, [1]: inf*1 + 2*3.
  const double infinity = std::numeric_limits<double>::infinity();
  const Conv2dShape shape{.width = 2, .kernel_w = 2, .stride_w = 1, .padding_w = 1};
  const std::vector<double> output = forward(shape, {1, 3}, {infinity, 2}, {});
  EXPECT_EQ(output.at(0), 2);
  EXPECT_EQ(output.at(1), infinity);
}

TEST(Conv2dShape, CountsComeFromTheShape) {
  const Conv2dShape shape{.batch = 2,
                          .channels = 3,
                          .height = 10,
                          .width = 7,
                          .filters = 5,
                          .kernel_h = 4,
                          .kernel_w = 3,
                          .stride_h = 3,
                          .stride_w = 2,
                          .padding_h = 1,
                          .padding_w = 2};
  EXPECT_EQ(shape.out_h(), 3);  // (10 + 2 - 4) / 3 = 2, remainder 2
  EXPECT_EQ(shape.out_w(), 5);  // (7 + 4 - 3) / 2 = 4
  EXPECT_EQ(shape.input_count(), 420);
  EXPECT_EQ(shape.filters_count(), 180);
  EXPECT_EQ(shape.output_count(), 150);
  EXPECT_EQ(shape.multiply_adds(), 150 * 36);
}

std::string message(const Conv2dShape& shape) {
  try {
    shape.validate();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Conv2dShape, ValidateNamesWhatIsWrong) {
  EXPECT_EQ(message({.batch = -1}), "conv2d: batch is -1; it must be at least 0");
  EXPECT_EQ(message({.filters = 0}), "conv2d: filters is 0; it must be at least 1");
  EXPECT_EQ(message({.stride_w = 0}), "conv2d: stride_w is 0; it must be at least 1");
  EXPECT_EQ(message({.padding_h = -1}), "conv2d: padding_h is -1; it must be at least 0");
  EXPECT_EQ(message({.height = 9, .width = 9, .kernel_h = 3, .kernel_w = 2, .padding_h = 1, .padding_w = 2}),
            "conv2d: the padding is 1x2; it must be smaller than the kernel, 3x2");
  EXPECT_EQ(message({.height = 4, .width = 9, .kernel_h = 7, .kernel_w = 2, .padding_h = 1}),
            "conv2d: the kernel is 7x2; it must fit into the padded image, 6x9");
}

TEST(Conv2dShape, ValidateRefusesSizesThatOverflow) {
  const std::int64_t large = std::int64_t{1} << 32;
  EXPECT_EQ(message({.width = large}), "conv2d: width is 4294967296; it must be at most 2147483647");
  EXPECT_THAT(message({.batch = 1 << 30, .height = 1 << 20, .width = 1 << 20}), HasSubstr("input elements"));
  EXPECT_THAT(message({.channels = 1 << 30, .height = 1 << 10, .width = 1 << 10, .filters = 1 << 30}),
              HasSubstr("multiply-adds"));
}

}  // namespace
}  // namespace touchstone
