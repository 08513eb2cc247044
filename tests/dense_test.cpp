// SPDX-License-Identifier: Apache-2.0
#include "touchstone/dense.h"

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
using testing::inner_product;
using testing::poison;
using testing::random_integers;
using testing::random_reals;

struct NamedShape {
  std::string name;
  DenseShape shape;
};

const std::vector<NamedShape>& shapes() {
  static const std::vector<NamedShape> all = {
      {"1x1", {}},
      {"one sample", {.batch = 1, .in_features = 5, .out_features = 3}},
      {"one input", {.batch = 4, .in_features = 1, .out_features = 3}},
      {"one output", {.batch = 3, .in_features = 6, .out_features = 1}},
      {"primes", {.batch = 5, .in_features = 13, .out_features = 7}},
      {"more outputs than inputs", {.batch = 2, .in_features = 3, .out_features = 17}},
      {"empty batch", {.batch = 0, .in_features = 3, .out_features = 2}},
      {"transposed", {.batch = 5, .in_features = 13, .out_features = 7, .transposed_weights = true}},
      {"transposed, one input", {.batch = 4, .in_features = 1, .out_features = 3, .transposed_weights = true}},
  };
  return all;
}

std::vector<double> forward(const DenseShape& shape, const std::vector<double>& input,
                            const std::vector<double>& weights, const std::vector<double>& bias) {
  std::vector<double> output = poison(shape.output_count());
  reference::dense_forward(shape, input.data(), weights.data(), bias.empty() ? nullptr : bias.data(), output.data());
  return output;
}

std::vector<double> backward_data(const DenseShape& shape, const std::vector<double>& grad_output,
                                  const std::vector<double>& weights) {
  std::vector<double> grad_input = poison(shape.input_count());
  reference::dense_backward_data(shape, grad_output.data(), weights.data(), grad_input.data());
  return grad_input;
}

std::vector<double> backward_weights(const DenseShape& shape, const std::vector<double>& grad_output,
                                     const std::vector<double>& input) {
  std::vector<double> grad_weights = poison(shape.weights_count());
  reference::dense_backward_weights(shape, grad_output.data(), input.data(), grad_weights.data());
  return grad_weights;
}

std::vector<double> backward_bias(const DenseShape& shape, const std::vector<double>& grad_output) {
  std::vector<double> grad_bias = poison(shape.out_features);
  reference::dense_backward_bias(shape, grad_output.data(), grad_bias.data());
  return grad_bias;
}

TEST(DenseReference, WorkedByHand) {
  // Two samples x = (1, 2, 3) and (-1, 0, 4), W = (1 0 2 / 3 -1 0), b = (10, 20):
  //   1*1 + 0*2 + 2*3 + 10 = 17     3*1 - 1*2 + 0*3 + 20 = 21
  //  -1*1 + 0*0 + 2*4 + 10 = 17    -3*1 - 1*0 + 0*4 + 20 = 17
  const DenseShape shape{.batch = 2, .in_features = 3, .out_features = 2};
  const std::vector<double> input{1, 2, 3, -1, 0, 4};
  const std::vector<double> weights{1, 0, 2, 3, -1, 0};
  EXPECT_THAT(forward(shape, input, weights, {10, 20}), ElementsAre(17, 21, 17, 17));
  EXPECT_THAT(forward(shape, input, weights, {}), ElementsAre(7, 1, 7, -3));
  // g = (1, -1) and (2, 5):
  const std::vector<double> grad_output{1, -1, 2, 5};
  //   W^T g: (1 - 3, 0 + 1, 2 - 0) and (2 + 15, 0 - 5, 4 + 0)
  EXPECT_THAT(backward_data(shape, grad_output, weights), ElementsAre(-2, 1, 2, 17, -5, 4));
  //   g x^T, summed: 1*(1,2,3) + 2*(-1,0,4) and -1*(1,2,3) + 5*(-1,0,4)
  EXPECT_THAT(backward_weights(shape, grad_output, input), ElementsAre(-1, 2, 11, -6, -2, 17));
  EXPECT_THAT(backward_bias(shape, grad_output), ElementsAre(3, 4));
}

TEST(DenseReference, TransposedWeightsAreTheSameLayer) {
  const DenseShape shape{.batch = 2, .in_features = 3, .out_features = 2, .transposed_weights = true};
  const std::vector<double> input{1, 2, 3, -1, 0, 4};
  const std::vector<double> transposed{1, 3, 0, -1, 2, 0};  // of (1 0 2 / 3 -1 0)
  const std::vector<double> grad_output{1, -1, 2, 5};
  EXPECT_THAT(forward(shape, input, transposed, {10, 20}), ElementsAre(17, 21, 17, 17));
  EXPECT_THAT(backward_data(shape, grad_output, transposed), ElementsAre(-2, 1, 2, 17, -5, 4));
  EXPECT_THAT(backward_weights(shape, grad_output, input), ElementsAre(-1, -6, 2, -2, 11, 17));
}

// <W x, g> = <x, W^T g> = <W, g x^T>: on integers without rounding.
TEST(DenseReference, ForwardAndBackwardAreAdjoint) {
  for (const auto& [name, shape] : shapes()) {
    SCOPED_TRACE(name);
    shape.validate();
    const std::vector<double> input = random_integers(shape.input_count(), 9, 1);
    const std::vector<double> weights = random_integers(shape.weights_count(), 9, 2);
    const std::vector<double> grad_output = random_integers(shape.output_count(), 9, 3);
    const double product = inner_product(forward(shape, input, weights, {}), grad_output);
    EXPECT_EQ(inner_product(input, backward_data(shape, grad_output, weights)), product);
    EXPECT_EQ(inner_product(weights, backward_weights(shape, grad_output, input)), product);
  }
}

TEST(DenseReference, GradientsAgreeWithCentralDifferences) {
  for (const auto& [name, shape] : shapes()) {
    SCOPED_TRACE(name);
    std::vector<double> input = random_reals(shape.input_count(), 4);
    std::vector<double> weights = random_reals(shape.weights_count(), 5);
    std::vector<double> bias = random_reals(shape.out_features, 6);
    const std::vector<double> grad_output = random_reals(shape.output_count(), 7);
    const auto objective = [&, s = shape] { return inner_product(forward(s, input, weights, bias), grad_output); };
    expect_gradient(backward_data(shape, grad_output, weights), central_differences(input, objective));
    expect_gradient(backward_weights(shape, grad_output, input), central_differences(weights, objective));
    expect_gradient(backward_bias(shape, grad_output), central_differences(bias, objective));
  }
}

TEST(DenseReference, AnEmptyBatchHasZeroParameterGradients) {
  const DenseShape shape{.batch = 0, .in_features = 2, .out_features = 1};
  EXPECT_THAT(backward_weights(shape, {}, {}), ElementsAre(0, 0));
  EXPECT_THAT(backward_bias(shape, {}), ElementsAre(0));
}

std::string message(const DenseShape& shape) {
  try {
    shape.validate();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(DenseShape, ValidateNamesWhatIsWrong) {
  EXPECT_EQ(message({.batch = -3}), "dense: batch is -3; it must be at least 0");
  EXPECT_EQ(message({.in_features = 0}), "dense: in_features is 0; it must be at least 1");
  EXPECT_EQ(message({.out_features = -1}), "dense: out_features is -1; it must be at least 1");
  EXPECT_EQ(message({.batch = 1 << 30, .in_features = 1 << 30, .out_features = 1 << 30}),
            "dense: the number of multiply-adds is too large; it must be below 2^63");
}

}  // namespace
}  // namespace touchstone
