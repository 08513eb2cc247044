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
#include "touchstone/dense.h"

namespace touchstone {
namespace {

std::string describe(const DenseShape& s) {
  return fmt::format("N{} in {} out {}{}", s.batch, s.in_features, s.out_features,
                     s.transposed_weights ? " transposed" : "");
}

/// {N, in, out}, around the sizes of vectors (1, 4, 8, 16) and tiles, then seeded.
std::vector<DenseShape> all_shapes() {
  std::vector<DenseShape> shapes{{1, 1, 1},   {4, 256, 10}, {64, 256, 10}, {1, 15, 3},  {2, 16, 4},        {3, 17, 5},
                                 {5, 31, 7},  {8, 33, 9},   {7, 47, 11},   {9, 49, 1},  {1, 3, 100},       {17, 5, 6},
                                 {0, 12, 10}, {3, 1, 17},   {2, 784, 30},  {6, 64, 13}, {2, 30, 784, true}};
  test::Draws draws(1);
  for (int i = 0; i < 60; ++i) {
    const std::int64_t batch = draws.between(1, 20);
    const std::int64_t in = draws.between(1, 70);
    shapes.push_back({.batch = batch,
                      .in_features = in,
                      .out_features = draws.between(1, 40),
                      .transposed_weights = draws.between(0, 1) == 1});
  }
  return shapes;
}

using Doubles = std::vector<const double*>;
using Floats = std::vector<const float*>;

test::SumOfProducts forward(const DenseShape& shape, cpu::Workspace& workspace) {
  return {
      .name = "dense_forward " + describe(shape),
      .inputs = {shape.input_count(), shape.weights_count(), shape.out_features},
      .output = shape.output_count(),
      .terms = shape.in_features + 1,
      .reference = [shape](const Doubles& in,
                           double* out) { reference::dense_forward(shape, in[0], in[1], in[2], out); },
      .device = [shape, &workspace](const Floats& in,
                                    float* out) { cpu::dense_forward(shape, in[0], in[1], in[2], out, workspace); }};
}

test::SumOfProducts forward_without_bias(const DenseShape& shape, cpu::Workspace& workspace) {
  return {
      .name = "dense_forward without bias " + describe(shape),
      .inputs = {shape.input_count(), shape.weights_count()},
      .output = shape.output_count(),
      .terms = shape.in_features,
      .reference = [shape](const Doubles& in,
                           double* out) { reference::dense_forward(shape, in[0], in[1], nullptr, out); },
      .device = [shape, &workspace](const Floats& in,
                                    float* out) { cpu::dense_forward(shape, in[0], in[1], nullptr, out, workspace); }};
}

test::SumOfProducts backward_data(const DenseShape& shape, cpu::Workspace& workspace) {
  return {.name = "dense_backward_data " + describe(shape),
          .inputs = {shape.output_count(), shape.weights_count()},
          .output = shape.input_count(),
          .terms = shape.out_features,
          .reference = [shape](const Doubles& in,
                               double* out) { reference::dense_backward_data(shape, in[0], in[1], out); },
          .device = [shape, &workspace](const Floats& in,
                                        float* out) { cpu::dense_backward_data(shape, in[0], in[1], out, workspace); }};
}

test::SumOfProducts backward_weights(const DenseShape& shape, cpu::Workspace& workspace) {
  return {
      .name = "dense_backward_weights " + describe(shape),
      .inputs = {shape.output_count(), shape.input_count()},
      .output = shape.weights_count(),
      .terms = std::max<std::int64_t>(1, shape.batch),
      .reference = [shape](const Doubles& in,
                           double* out) { reference::dense_backward_weights(shape, in[0], in[1], out); },
      .device = [shape, &workspace](const Floats& in,
                                    float* out) { cpu::dense_backward_weights(shape, in[0], in[1], out, workspace); }};
}

test::SumOfProducts backward_bias(const DenseShape& shape, cpu::Workspace& workspace) {
  return {.name = "dense_backward_bias " + describe(shape),
          .inputs = {shape.output_count()},
          .output = shape.out_features,
          .terms = std::max<std::int64_t>(1, shape.batch),
          .reference = [shape](const Doubles& in, double* out) { reference::dense_backward_bias(shape, in[0], out); },
          .device = [shape, &workspace](const Floats& in,
                                        float* out) { cpu::dense_backward_bias(shape, in[0], out, workspace); }};
}

struct NamedOperation {
  const char* name = nullptr;
  test::SumOfProducts (*make)(const DenseShape&, cpu::Workspace&) = nullptr;
};

/// How GoogleTest prints an operation: not by its address.
void PrintTo(const NamedOperation& operation, std::ostream* stream) { *stream << operation.name; }

std::string name_of(const testing::TestParamInfo<NamedOperation>& parameter) { return parameter.param.name; }

class CpuDense : public testing::TestWithParam<NamedOperation> {};

TEST_P(CpuDense, IsExactOnSmallIntegers) {
  cpu::Workspace workspace;
  test::Draws draws(2);
  for (const DenseShape& shape : all_shapes()) {
    test::expect_exact(GetParam().make(shape, workspace), draws);
    if (HasFatalFailure()) {
      return;
    }
  }
}

TEST_P(CpuDense, StaysWithinItsBoundOnReals) {
  cpu::Workspace workspace;
  test::Draws draws(3);
  for (const DenseShape& shape : all_shapes()) {
    test::expect_bounded(GetParam().make(shape, workspace), draws);
    if (HasFatalFailure()) {
      return;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Operations, CpuDense,
                         testing::Values(NamedOperation{"forward", &forward},
                                         NamedOperation{"forward_without_bias", &forward_without_bias},
                                         NamedOperation{"backward_data", &backward_data},
                                         NamedOperation{"backward_weights", &backward_weights},
                                         NamedOperation{"backward_bias", &backward_bias}),
                         name_of);

}  // namespace
}  // namespace touchstone
