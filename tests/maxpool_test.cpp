// SPDX-License-Identifier: Apache-2.0
#include "touchstone/maxpool.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
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
using ::testing::ElementsAre;
using testing::expect_gradient;
using ::testing::HasSubstr;
using testing::inner_product;
using testing::poison;
using testing::random_integers;
using testing::random_reals;

struct NamedShape {
  std::string name;
  MaxpoolShape shape;
};

const std::vector<NamedShape>& shapes() {
  static const std::vector<NamedShape> all = {
      {"1x1", {}},
      {"window 1x1", {.batch = 2, .channels = 2, .height = 3, .width = 4}},
      {"window = input", {.channels = 2, .height = 5, .width = 4, .kernel_h = 5, .kernel_w = 4, .stride_h = 5}},
      {"tiling windows",
       {.batch = 2,
        .channels = 3,
        .height = 4,
        .width = 6,
        .kernel_h = 2,
        .kernel_w = 3,
        .stride_h = 2,
        .stride_w = 3}},
      {"overlapping windows",
       {.channels = 2, .height = 6, .width = 5, .kernel_h = 3, .kernel_w = 2, .stride_h = 2, .stride_w = 1}},
      {"stride > window", {.height = 9, .width = 7, .kernel_h = 2, .kernel_w = 1, .stride_h = 3, .stride_w = 2}},
      {"stride that does not divide",
       {.batch = 2, .height = 8, .width = 7, .kernel_h = 3, .kernel_w = 2, .stride_h = 2, .stride_w = 2}},
      {"padding reached on the near side only",
       {.height = 6,
        .width = 7,
        .kernel_h = 3,
        .kernel_w = 4,
        .stride_h = 2,
        .stride_w = 2,
        .padding_h = 1,
        .padding_w = 1}},
      {"largest padding",
       {.channels = 2, .height = 3, .width = 5, .kernel_h = 2, .kernel_w = 4, .padding_h = 1, .padding_w = 2}},
      {"window larger than the image",
       {.height = 2, .width = 1, .kernel_h = 4, .kernel_w = 3, .padding_h = 2, .padding_w = 1}},
      {"primes",
       {.batch = 3,
        .channels = 5,
        .height = 11,
        .width = 7,
        .kernel_h = 3,
        .kernel_w = 2,
        .stride_h = 2,
        .stride_w = 3}},
      {"empty batch", {.batch = 0, .channels = 2, .height = 4, .width = 5, .kernel_h = 2, .kernel_w = 3}},
  };
  return all;
}

struct Pooled {
  std::vector<double> output;
  std::vector<std::int32_t> argmax;
};

Pooled forward(const MaxpoolShape& shape, const std::vector<double>& input) {
  Pooled pooled{poison(shape.output_count()),
                std::vector<std::int32_t>(static_cast<std::size_t>(shape.output_count()), -1)};
  reference::maxpool_forward(shape, input.data(), pooled.output.data(), pooled.argmax.data());
  return pooled;
}

std::vector<double> backward(const MaxpoolShape& shape, const std::vector<double>& grad_output,
                             const std::vector<std::int32_t>& argmax) {
  std::vector<double> grad_input = poison(shape.input_count());
  reference::maxpool_backward(shape, grad_output.data(), argmax.data(), grad_input.data());
  return grad_input;
}

/// The definition by its own words: of the positions of the window in scan order, the first that none exceeds.
std::int64_t definition(const MaxpoolShape& s, const double* plane, std::int64_t i, std::int64_t j) {
  std::vector<std::int64_t> window;
  for (std::int64_t p = 0; p < s.kernel_h; ++p) {
    for (std::int64_t q = 0; q < s.kernel_w; ++q) {
      const std::int64_t y = i * s.stride_h + p - s.padding_h;
      const std::int64_t x = j * s.stride_w + q - s.padding_w;
      if (y >= 0 && y < s.height && x >= 0 && x < s.width) {
        window.push_back(y * s.width + x);
      }
    }
  }
  return *std::find_if(window.begin(), window.end(), [&](std::int64_t candidate) {
    return std::none_of(window.begin(), window.end(),
                        [&](std::int64_t other) { return plane[other] > plane[candidate]; });
  });
}

TEST(MaxpoolReference, WorkedByHand) {
  // Windows of 2x2, stride 2, over   1 5 | 2 0 | 7
  //                                  3 4 | 8 6 | 9
  // (the last column is left over): 5 stands at 0*5 + 1, 8 at 1*5 + 2.
  const MaxpoolShape shape{.height = 2, .width = 5, .kernel_h = 2, .kernel_w = 2, .stride_h = 2, .stride_w = 2};
  const Pooled pooled = forward(shape, {1, 5, 2, 0, 7, 3, 4, 8, 6, 9});
  EXPECT_THAT(pooled.output, ElementsAre(5, 8));
  EXPECT_THAT(pooled.argmax, ElementsAre(1, 7));
  EXPECT_THAT(backward(shape, {10, 20}, pooled.argmax), ElementsAre(0, 10, 0, 0, 0, 0, 0, 20, 0, 0));
}

TEST(MaxpoolReference, OverlappingWindowsAddTheirGradients) {
  // Windows of 1x3, stride 1, over 2 1 9 3 4: maxima 9 (at 2), 9 (at 2), 9 (at 2); gradients 1 + 10 + 100.
  const MaxpoolShape shape{.width = 5, .kernel_w = 3};
  const Pooled pooled = forward(shape, {2, 1, 9, 3, 4});
  EXPECT_THAT(pooled.output, ElementsAre(9, 9, 9));
  EXPECT_THAT(pooled.argmax, ElementsAre(2, 2, 2));
  EXPECT_THAT(backward(shape, {1, 10, 100}, pooled.argmax), ElementsAre(0, 0, 111, 0, 0));
}

TEST(MaxpoolReference, TheFirstOfEqualsWins) {
  // One window of 2x3 over   1 4 4    in scan order the 4 at 0*3 + 1 comes first;
  //                          4 0 4
  // the whole gradient goes there. -0 and +0 are equal too.
  const MaxpoolShape shape{.height = 2, .width = 3, .kernel_h = 2, .kernel_w = 3};
  const Pooled pooled = forward(shape, {1, 4, 4, 4, 0, 4});
  EXPECT_THAT(pooled.argmax, ElementsAre(1));
  EXPECT_THAT(backward(shape, {6}, pooled.argmax), ElementsAre(0, 6, 0, 0, 0, 0));
  EXPECT_THAT(forward(shape, {-0.0, 0.0, 0.0, -0.0, 0.0, 0.0}).argmax, ElementsAre(0));
}

TEST(MaxpoolReference, NanStaysWhereItComesFirstAndIsPassedOverElsewhere) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const MaxpoolShape shape{.width = 6, .kernel_w = 3, .stride_w = 3};
  const Pooled pooled = forward(shape, {nan, 1, 2, 3, nan, 4});
  EXPECT_TRUE(std::isnan(pooled.output.at(0)));
  EXPECT_EQ(pooled.output.at(1), 4);
  EXPECT_THAT(pooled.argmax, ElementsAre(0, 5));
}

TEST(MaxpoolReference, PaddingNeverWins) {
  // Were the padding zero it would win over negative values; were it the lowest finite value, over -infinity.
  const double infinity = std::numeric_limits<double>::infinity();
  const MaxpoolShape shape{.width = 3, .kernel_w = 2, .stride_w = 2, .padding_w = 1};
  const Pooled pooled = forward(shape, {-infinity, -5, -3});
  EXPECT_THAT(pooled.output, ElementsAre(-infinity, -3));
  EXPECT_THAT(pooled.argmax, ElementsAre(0, 2));
}

TEST(MaxpoolReference, ArgmaxCountsWithinItsOwnPlane) {
  const MaxpoolShape shape{.batch = 2, .channels = 2, .height = 1, .width = 3, .kernel_w = 3};
  const Pooled pooled = forward(shape, {1, 2, 3, 3, 2, 1, 1, 3, 2, 5, 4, 6});
  EXPECT_THAT(pooled.output, ElementsAre(3, 3, 3, 6));
  EXPECT_THAT(pooled.argmax, ElementsAre(2, 0, 1, 2));
}

// On integers from a small range nearly every window has ties.
TEST(MaxpoolReference, ForwardIsTheDefinition) {
  for (const auto& [name, shape] : shapes()) {
    SCOPED_TRACE(name);
    shape.validate();
    const std::vector<double> input = random_integers(shape.input_count(), 2, 1);
    std::vector<double> output;
    std::vector<std::int32_t> argmax;
    for (std::int64_t nc = 0; nc < shape.batch * shape.channels; ++nc) {
      const double* plane = input.data() + nc * shape.height * shape.width;
      for (std::int64_t i = 0; i < shape.out_h(); ++i) {
        for (std::int64_t j = 0; j < shape.out_w(); ++j) {
          argmax.push_back(static_cast<std::int32_t>(definition(shape, plane, i, j)));
          output.push_back(plane[argmax.back()]);
        }
      }
    }
    const Pooled pooled = forward(shape, input);
    EXPECT_EQ(pooled.output, output);
    EXPECT_EQ(pooled.argmax, argmax);
  }
}

TEST(MaxpoolReference, BackwardPassesOnTheSumOfTheGradient) {
  for (const auto& [name, shape] : shapes()) {
    SCOPED_TRACE(name);
    const Pooled pooled = forward(shape, random_integers(shape.input_count(), 2, 2));
    const std::vector<double> grad_output = random_integers(shape.output_count(), 9, 3);
    const std::vector<double> grad_input = backward(shape, grad_output, pooled.argmax);
    EXPECT_EQ(std::accumulate(grad_input.begin(), grad_input.end(), 0.0),
              std::accumulate(grad_output.begin(), grad_output.end(), 0.0));
  }
}

/// Values 0, 1, 2, ... in random order: the steps of the differences do not change which is largest.
std::vector<double> distinct_values(std::int64_t count) {
  std::vector<double> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::size_t j = random_word(1, RandomPurpose::check, 4, i) % (i + 1);
    values[i] = values[j];
    values[j] = static_cast<double>(i);
  }
  return values;
}

TEST(MaxpoolReference, GradientAgreesWithCentralDifferences) {
  for (const auto& [name, shape] : shapes()) {
    SCOPED_TRACE(name);
    std::vector<double> input = distinct_values(shape.input_count());
    const std::vector<double> grad_output = random_reals(shape.output_count(), 5);
    const std::vector<double> gradient = backward(shape, grad_output, forward(shape, input).argmax);
    const auto objective = [&, s = shape] { return inner_product(forward(s, input).output, grad_output); };
    expect_gradient(gradient, central_differences(input, objective));
  }
}

std::string message(const MaxpoolShape& shape) {
  try {
    shape.validate();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(MaxpoolShape, ValidateNamesWhatIsWrong) {
  EXPECT_EQ(message({.channels = 0}), "maxpool: channels is 0; it must be at least 1");
  EXPECT_EQ(message({.kernel_h = -2}), "maxpool: kernel_h is -2; it must be at least 1");
  EXPECT_EQ(message({.height = 9, .width = 9, .kernel_h = 3, .kernel_w = 4, .padding_h = 2, .padding_w = 2}),
            "maxpool: the padding is 2x2; it must be at most half the window, 3x4");
  EXPECT_EQ(message({.height = 4, .width = 9, .kernel_h = 7, .kernel_w = 2, .padding_h = 1}),
            "maxpool: the window is 7x2; it must fit into the padded image, 6x9");
  EXPECT_EQ(message({.height = 1 << 16, .width = 1 << 15}),
            "maxpool: a plane of 65536x32768 has 2147483648 elements; it must have fewer than 2^31");
  EXPECT_THAT(message({.batch = 1 << 30, .channels = 1 << 30, .height = 2, .width = 4}), HasSubstr("input elements"));
}

}  // namespace
}  // namespace touchstone
