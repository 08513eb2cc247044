// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <ostream>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "host/cpu/workspace.h"
#include "tests/cpu_test_support.h"
#include "touchstone/conv2d.h"

namespace touchstone {
namespace {

std::string describe(const Conv2dShape& s) {
  return fmt::format("N{} C{} {}x{} K{} {}x{} stride {}x{} padding {}x{}", s.batch, s.channels, s.height, s.width,
                     s.filters, s.kernel_h, s.kernel_w, s.stride_h, s.stride_w, s.padding_h, s.padding_w);
}

/// Shapes at the edges of what the code distinguishes: {N, C, H, W, K, kernel, stride, padding}.
std::vector<Conv2dShape> edge_shapes() {
  return {
      {1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0},     // one of everything
      {1, 1, 5, 7, 1, 5, 7, 1, 1, 0, 0},     // the kernel is the image
      {2, 1, 28, 28, 8, 5, 5, 1, 1, 0, 0},   // the first layer of the default network
      {2, 8, 12, 12, 16, 5, 5, 1, 1, 0, 0},  // its second
      {2, 3, 9, 11, 5, 1, 1, 1, 1, 0, 0},    // a 1x1 kernel
      {1, 2, 9, 11, 3, 1, 1, 3, 2, 0, 0},    // a stride above the kernel: inputs that nothing reads
      {2, 2, 10, 13, 3, 2, 3, 3, 4, 0, 0},   // the same, with taps
      {1, 3, 11, 8, 4, 3, 2, 2, 3, 0, 0},    // a stride that does not divide
      {2, 2, 7, 9, 3, 3, 3, 1, 1, 1, 1},     // the size kept by padding
      {2, 2, 7, 9, 3, 5, 4, 2, 1, 4, 3},     // the most padding
      {1, 2, 7, 9, 3, 3, 5, 1, 2, 2, 0},     // padding on one axis
      {1, 2, 7, 9, 3, 3, 5, 2, 1, 0, 4},     // and on the other
      {1, 1, 1, 1, 2, 3, 3, 2, 2, 1, 1},     // an image that is mostly padding
      {1, 1, 2, 3, 1, 5, 6, 3, 2, 2, 2},     // the kernel reaches beyond both sides
      {3, 5, 6, 19, 9, 3, 4, 1, 1, 0, 0},    // rows of 16 outputs; 9 filters: blocks of 5 and 4
      {1, 7, 6, 20, 17, 3, 4, 1, 1, 0, 0},   // rows of 17
      {1, 2, 6, 18, 7, 3, 4, 1, 1, 0, 0},    // rows of 15
      {9, 1, 4, 5, 2, 2, 2, 1, 1, 0, 0},     // more samples than a group
      {1, 1, 23, 29, 13, 4, 3, 1, 1, 1, 2},  // primes
      {0, 2, 6, 5, 3, 2, 3, 1, 1, 0, 0},     // an empty batch
  };
}

std::vector<Conv2dShape> seeded_shapes(int count) {
  test::Draws draws(1);
  std::vector<Conv2dShape> shapes;
  while (shapes.size() < static_cast<std::size_t>(count)) {
    Conv2dShape shape;
    shape.batch = draws.between(1, 4);
    shape.channels = draws.between(1, 6);
    shape.height = draws.between(1, 17);
    shape.width = draws.between(1, 21);
    shape.filters = draws.between(1, 19);
    shape.kernel_h = draws.between(1, 6);
    shape.kernel_w = draws.between(1, 6);
    shape.stride_h = draws.between(1, 3);
    shape.stride_w = draws.between(1, 3);
    shape.padding_h = draws.between(0, shape.kernel_h - 1);
    shape.padding_w = draws.between(0, shape.kernel_w - 1);
    if (shape.height + 2 * shape.padding_h >= shape.kernel_h && shape.width + 2 * shape.padding_w >= shape.kernel_w) {
      shapes.push_back(shape);
    }
  }
  return shapes;
}

std::vector<Conv2dShape> all_shapes() {
  std::vector<Conv2dShape> shapes = edge_shapes();
  const std::vector<Conv2dShape> seeded = seeded_shapes(60);
  shapes.insert(shapes.end(), seeded.begin(), seeded.end());
  return shapes;
}

using Doubles = std::vector<const double*>;
using Floats = std::vector<const float*>;

test::SumOfProducts forward(const Conv2dShape& shape, cpu::Workspace& workspace) {
  return {
      .name = "conv2d_forward " + describe(shape),
      .inputs = {shape.input_count(), shape.filters_count(), shape.filters},
      .output = shape.output_count(),
      .terms = shape.channels * shape.taps() + 1,
      .reference = [shape](const Doubles& in,
                           double* out) { reference::conv2d_forward(shape, in[0], in[1], in[2], out); },
      .device = [shape, &workspace](const Floats& in,
                                    float* out) { cpu::conv2d_forward(shape, in[0], in[1], in[2], out, workspace); }};
}

test::SumOfProducts forward_without_bias(const Conv2dShape& shape, cpu::Workspace& workspace) {
  return {
      .name = "conv2d_forward without bias " + describe(shape),
      .inputs = {shape.input_count(), shape.filters_count()},
      .output = shape.output_count(),
      .terms = shape.channels * shape.taps(),
      .reference = [shape](const Doubles& in,
                           double* out) { reference::conv2d_forward(shape, in[0], in[1], nullptr, out); },
      .device = [shape, &workspace](const Floats& in,
                                    float* out) { cpu::conv2d_forward(shape, in[0], in[1], nullptr, out, workspace); }};
}

test::SumOfProducts backward_data(const Conv2dShape& shape, cpu::Workspace& workspace) {
  return {
      .name = "conv2d_backward_data " + describe(shape),
      .inputs = {shape.output_count(), shape.filters_count()},
      .output = shape.input_count(),
      .terms = shape.filters * shape.taps(),
      .reference = [shape](const Doubles& in,
                           double* out) { reference::conv2d_backward_data(shape, in[0], in[1], out); },
      .device = [shape, &workspace](const Floats& in,
                                    float* out) { cpu::conv2d_backward_data(shape, in[0], in[1], out, workspace); }};
}

test::SumOfProducts backward_filters(const Conv2dShape& shape, cpu::Workspace& workspace) {
  return {
      .name = "conv2d_backward_filters " + describe(shape),
      .inputs = {shape.output_count(), shape.input_count()},
      .output = shape.filters_count(),
      .terms = std::max<std::int64_t>(1, shape.batch * shape.out_positions()),
      .reference = [shape](const Doubles& in,
                           double* out) { reference::conv2d_backward_filters(shape, in[0], in[1], out); },
      .device = [shape, &workspace](const Floats& in,
                                    float* out) { cpu::conv2d_backward_filters(shape, in[0], in[1], out, workspace); }};
}

test::SumOfProducts backward_bias(const Conv2dShape& shape, cpu::Workspace& workspace) {
  return {.name = "conv2d_backward_bias " + describe(shape),
          .inputs = {shape.output_count()},
          .output = shape.filters,
          .terms = std::max<std::int64_t>(1, shape.batch * shape.out_positions()),
          .reference = [shape](const Doubles& in, double* out) { reference::conv2d_backward_bias(shape, in[0], out); },
          .device = [shape, &workspace](const Floats& in,
                                        float* out) { cpu::conv2d_backward_bias(shape, in[0], out, workspace); }};
}

struct NamedOperation {
  const char* name = nullptr;
  test::SumOfProducts (*make)(const Conv2dShape&, cpu::Workspace&) = nullptr;
};

/// How GoogleTest prints an operation: not by its address.
void PrintTo(const NamedOperation& operation, std::ostream* stream) { *stream << operation.name; }

std::string name_of(const testing::TestParamInfo<NamedOperation>& parameter) { return parameter.param.name; }

class CpuConv2d : public testing::TestWithParam<NamedOperation> {};

TEST_P(CpuConv2d, IsExactOnSmallIntegers) {
  cpu::Workspace workspace;
  test::Draws draws(2);
  for (const Conv2dShape& shape : all_shapes()) {
    test::expect_exact(GetParam().make(shape, workspace), draws);
    if (HasFatalFailure()) {
      return;
    }
  }
}

TEST_P(CpuConv2d, StaysWithinItsBoundOnReals) {
  cpu::Workspace workspace;
  test::Draws draws(3);
  for (const Conv2dShape& shape : all_shapes()) {
    test::expect_bounded(GetParam().make(shape, workspace), draws);
    if (HasFatalFailure()) {
      return;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Operations, CpuConv2d,
                         testing::Values(NamedOperation{"forward", &forward},
                                         NamedOperation{"forward_without_bias", &forward_without_bias},
                                         NamedOperation{"backward_data", &backward_data},
                                         NamedOperation{"backward_filters", &backward_filters},
                                         NamedOperation{"backward_bias", &backward_bias}),
                         name_of);

}  // namespace
}  // namespace touchstone
