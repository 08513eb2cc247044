// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/cpu_test_support.h"
#include "touchstone/maxpool.h"

namespace touchstone {
namespace {

/// {N, C, H, W, kernel, stride, padding}: edges, then seeded.
std::vector<MaxpoolShape> all_shapes() {
  std::vector<MaxpoolShape> shapes{
      {1, 1, 1, 1, 1, 1, 1, 1, 0, 0},                                    // one of everything
      {2, 8, 24, 24, 2, 2, 2, 2, 0, 0},                                  // the default network
      {2, 16, 8, 8, 2, 2, 2, 2, 0, 0},  {1, 1, 2, 2, 2, 2, 2, 2, 0, 0},  // one window
      {2, 3, 9, 11, 2, 2, 2, 2, 0, 0},  // odd sizes: a row and a column that no window holds
      {1, 2, 6, 35, 2, 2, 2, 2, 0, 0},  // rows of 17 windows
      {1, 2, 5, 32, 2, 2, 2, 2, 0, 0},  // of 16
      {1, 3, 4, 31, 2, 2, 2, 2, 0, 0},  // of 15
      {3, 1, 2, 70, 2, 2, 2, 2, 0, 0},  // of 35
      {1, 2, 7, 9, 3, 3, 2, 2, 1, 1},   // overlapping windows, with padding
      {1, 2, 8, 7, 3, 2, 1, 3, 0, 1},   {2, 2, 9, 10, 2, 3, 4, 5, 0, 0},  // a stride above the window
      {1, 1, 5, 7, 5, 7, 1, 1, 0, 0},                                     // the window is the image
      {2, 2, 6, 8, 2, 2, 2, 2, 1, 1},                                     // 2x2 with padding
      {0, 2, 6, 8, 2, 2, 2, 2, 0, 0},                                     // an empty batch
  };
  test::Draws draws(1);
  while (shapes.size() < 75) {
    MaxpoolShape shape;
    shape.batch = draws.between(1, 3);
    shape.channels = draws.between(1, 4);
    shape.height = draws.between(1, 20);
    shape.width = draws.between(1, 40);
    shape.kernel_h = draws.between(1, 4);
    shape.kernel_w = draws.between(1, 4);
    shape.stride_h = draws.between(1, 4);
    shape.stride_w = draws.between(1, 4);
    shape.padding_h = draws.between(0, shape.kernel_h / 2);
    shape.padding_w = draws.between(0, shape.kernel_w / 2);
    if (shape.height + 2 * shape.padding_h >= shape.kernel_h && shape.width + 2 * shape.padding_w >= shape.kernel_w) {
      shapes.push_back(shape);
    }
  }
  return shapes;
}

std::string describe(const MaxpoolShape& s) {
  return fmt::format("N{} C{} {}x{} window {}x{} stride {}x{} padding {}x{}", s.batch, s.channels, s.height, s.width,
                     s.kernel_h, s.kernel_w, s.stride_h, s.stride_w, s.padding_h, s.padding_w);
}

struct Pooled {
  std::vector<double> output;
  std::vector<std::int32_t> argmax;
};

Pooled pool_by_reference(const MaxpoolShape& shape, const std::vector<float>& input) {
  Pooled pooled{.output = std::vector<double>(static_cast<std::size_t>(shape.output_count())),
                .argmax = std::vector<std::int32_t>(static_cast<std::size_t>(shape.output_count()))};
  reference::maxpool_forward(shape, test::widened(input).data(), pooled.output.data(), pooled.argmax.data());
  return pooled;
}

/// Compares with the reference, a NaN being equal to a NaN.
void expect_same_selection(const MaxpoolShape& shape, const std::vector<float>& input) {
  const Pooled expected = pool_by_reference(shape, input);
  test::for_each_instruction_set([&] {
    test::PoisonedOutput<float> output(shape.output_count());
    test::PoisonedOutput<std::int32_t> argmax(shape.output_count());
    cpu::maxpool_forward(shape, input.data(), output.data(), argmax.data());
    EXPECT_EQ(argmax.values(), expected.argmax) << describe(shape);
    const std::vector<float> got = output.values();
    for (std::size_t i = 0; i < got.size(); ++i) {
      ASSERT_TRUE(got[i] == expected.output[i] || (std::isnan(got[i]) && std::isnan(expected.output[i])))
          << describe(shape) << ", element " << i;
    }
  });
}

TEST(CpuMaxpool, SelectsWhatTheReferenceSelectsAmongManyTies) {
  test::Draws draws(2);
  for (const MaxpoolShape& shape : all_shapes()) {
    expect_same_selection(shape, draws.integers(shape.input_count(), 2));
  }
}

TEST(CpuMaxpool, SelectsWhatTheReferenceSelectsAmongReals) {
  test::Draws draws(3);
  for (const MaxpoolShape& shape : all_shapes()) {
    expect_same_selection(shape, draws.reals(shape.input_count()));
  }
}

TEST(CpuMaxpool, TreatsNaNAndInfinityAsTheReferenceDoes) {
  test::Draws draws(4);
  for (const MaxpoolShape& shape : all_shapes()) {
    std::vector<float> input = draws.reals(shape.input_count());
    for (float& value : input) {
      const std::int64_t kind = draws.between(0, 5);
      value = kind == 0   ? std::numeric_limits<float>::quiet_NaN()
              : kind == 1 ? -std::numeric_limits<float>::infinity()
                          : value;
    }
    expect_same_selection(shape, input);
  }
}

TEST(CpuMaxpool, PassesGradientsToTheChosenElements) {
  test::Draws draws(5);
  for (const MaxpoolShape& shape : all_shapes()) {
    const Pooled pooled = pool_by_reference(shape, draws.integers(shape.input_count(), 2));
    const std::vector<float> gradients = draws.integers(shape.output_count(), 100);
    std::vector<double> expected(static_cast<std::size_t>(shape.input_count()));
    reference::maxpool_backward(shape, test::widened(gradients).data(), pooled.argmax.data(), expected.data());
    test::for_each_instruction_set([&] {
      test::PoisonedOutput<float> output(shape.input_count());
      cpu::maxpool_backward(shape, gradients.data(), pooled.argmax.data(), output.data());
      EXPECT_EQ(test::widened(output.values()), expected) << describe(shape);
    });
  }
}

}  // namespace
}  // namespace touchstone
