// SPDX-License-Identifier: Apache-2.0
// What operations have to do: against numbers worked out by hand.
#include "touchstone/operation_cost.h"

#include <string>

#include <gtest/gtest.h>

namespace touchstone {
namespace {

void expect_cost(const OperationCost& cost, const std::string& operation, std::int64_t flops, std::int64_t bytes) {
  EXPECT_EQ(cost.operation, operation);
  EXPECT_EQ(cost.flops, flops) << operation;
  EXPECT_EQ(cost.bytes, bytes) << operation;
}

// 2 samples of 3x5x6, 4 filters of 2x3: outputs of 4x4 and 4 channels, 128 in all, each of 18 products.
constexpr Conv2dShape conv2d = {
    .batch = 2, .channels = 3, .height = 5, .width = 6, .filters = 4, .kernel_h = 2, .kernel_w = 3};

TEST(OperationCost, Conv2d) {
  const std::int64_t tensors = 4 * (180 + 72 + 128);
  expect_cost(cost::forward(conv2d), "conv2d_forward", 2 * 128 * 18, tensors + 4 * 4);
  expect_cost(cost::backward_data(conv2d), "conv2d_backward_data", 2 * 128 * 18, tensors);
  expect_cost(cost::backward_weights(conv2d), "conv2d_backward_filters", 2 * 128 * 18, tensors);
  expect_cost(cost::backward_bias(conv2d), "conv2d_backward_bias", 128, 4 * (128 + 4));
}

TEST(OperationCost, BlockDoesAFractionOfTheConvolutionBackwards) {
  const Conv2dMaxpoolSigmoidShape block{.conv2d = conv2d, .pool = 2};  // 2x2 windows of 4 channels of 2 samples: 32
  expect_cost(cost::forward(block), "conv2d_maxpool_sigmoid_forward", 2 * 128 * 18 + 3 * 32,
              4 * (180 + 72 + 4 + 32) + 32);
  expect_cost(cost::backward_data(block), "conv2d_maxpool_sigmoid_backward_data", 2 * 32 * 18 + 3 * 32,
              4 * (32 + 32 + 72 + 180) + 32);
  expect_cost(cost::backward_weights(block), "conv2d_maxpool_sigmoid_backward_filters", 2 * 32 * 18 + 3 * 32,
              4 * (32 + 32 + 72 + 180) + 32);
  expect_cost(cost::backward_bias(block), "conv2d_maxpool_sigmoid_backward_bias", 4 * 32, 4 * (32 + 32 + 4));
}

TEST(OperationCost, SumsBeyondTheLastWindowAreNotNeeded) {
  Conv2dShape odd = conv2d;
  odd.height = 6;  // a fifth row of sums, which no window takes
  const Conv2dMaxpoolSigmoidShape block{.conv2d = odd, .pool = 2};
  EXPECT_EQ(cost::forward(block).flops, 2 * 128 * 18 + 3 * 32);
}

TEST(OperationCost, OtherLayers) {
  const MaxpoolShape pool{.batch = 2,
                          .channels = 3,
                          .height = 4,
                          .width = 6,
                          .kernel_h = 2,
                          .kernel_w = 3,
                          .stride_h = 2,
                          .stride_w = 3};  // 144 inputs, 24 outputs
  expect_cost(cost::forward(pool), "maxpool_forward", 0, 4 * (144 + 24) + 4 * 24);
  expect_cost(cost::backward_data(pool), "maxpool_backward", 24, 4 * (144 + 24) + 4 * 24);
  expect_cost(cost::forward(SigmoidShape{7}), "sigmoid_forward", 21, 56);
  expect_cost(cost::backward_data(SigmoidShape{7}), "sigmoid_backward", 21, 84);
  const DenseShape dense{.batch = 2, .in_features = 5, .out_features = 3};
  expect_cost(cost::forward(dense), "dense_forward", 60, 4 * (10 + 15 + 6 + 3));
  expect_cost(cost::backward_data(dense), "dense_backward_data", 60, 4 * (10 + 15 + 6));
  expect_cost(cost::backward_weights(dense), "dense_backward_weights", 60, 4 * (10 + 15 + 6));
  expect_cost(cost::backward_bias(dense), "dense_backward_bias", 6, 4 * (6 + 3));
}

TEST(OperationCost, WhatFollowsTheLayers) {
  const SoftmaxCrossEntropyShape logits{.batch = 2, .classes = 10};
  expect_cost(cost::softmax_cross_entropy(logits), "softmax_cross_entropy", 5 * 20 + 4 * 2, 4 * (40 + 2) + 2);
  expect_cost(cost::softmax_cross_entropy(logits, false), "softmax_cross_entropy", 3 * 20 + 3 * 2, 4 * (20 + 2) + 2);
  const HalfSquaredErrorShape outputs{.batch = 2, .elements = 10};
  expect_cost(cost::half_squared_error(outputs), "half_squared_error", 4 * 20 + 2, 4 * (60 + 2));
  expect_cost(cost::half_squared_error(outputs, false), "half_squared_error", 3 * 20 + 2, 4 * (40 + 2));
  expect_cost(cost::accuracy(logits), "accuracy", 0, 80 + 4);
  expect_cost(cost::optimizer(OptimizerKind::sgd, 10), "sgd", 60, 200);
  expect_cost(cost::optimizer(OptimizerKind::adam, 10), "adam", 150, 280);
  expect_cost(cost::optimizer(OptimizerKind::adamw, 10), "adamw", 140, 280);
  expect_cost(cost::gather({.batch = 3, .image_size = 5}), "gather", 2 * 15, 15 + 4 * 15 + 3 * 6);
  expect_cost(cost::shuffle(9), "shuffle", 0, 36);
}

TEST(OperationCost, OfGaussians) {
  // 2 Gaussians of 3 dimensions and 5 samples each: 6 pairs of dimensions.
  const GaussianSamples samples{.offsets = {0, 5, 10}, .dimensions = 3};
  const GaussianShape shape = samples.shape();
  expect_cost(cost::gaussian_covariance(samples), "gaussian_covariance", 2 * 30 + 6 + 6 * (20 + 2),
              8 * (30 + 6 + 18) + 8 * 3);
  // Of one factor: 0 + (0 + 1) + (0 + 1 + 2) multiply-adds, and 6 quotients and roots.
  expect_cost(cost::gaussian_cholesky(shape), "gaussian_cholesky", 2 * (2 * 4 + 6), 8 * 36 + 4 * 2);
  // Of one column: 0 + 1 + 2 multiply-adds and 3 quotients.
  expect_cost(cost::gaussian_solve({.gaussians = 2, .dimensions = 3, .columns = 4}), "gaussian_solve", 2 * 4 * 9,
              8 * (18 + 2 * 24));
  // Of one pair: right sides of 3, 2 and 1 elements need 3 + 1 + 0 multiply-adds and 6 quotients, the means' 9; 9
  // elements are differences, squared and added; 12 for the diagonal.
  expect_cost(cost::gaussian_pairs(shape), "gaussian_pairs", 2 * (2 * 4 + 6 + 9 + 3 * 9 + 12), 8 * (6 + 18 + 4));
  EXPECT_TRUE(cost::gaussian_pairs(shape).double_precision);
}

TEST(OperationCost, Adds) {
  OperationCost sum{.operation = "all"};
  sum += {"one", 1, 2};
  sum += {"two", 10, 20};
  expect_cost(sum, "all", 11, 22);
}

}  // namespace
}  // namespace touchstone
