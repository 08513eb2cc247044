// SPDX-License-Identifier: Apache-2.0
#include "touchstone/operation_cost.h"

namespace touchstone::cost {
namespace {

constexpr std::int64_t float_bytes = sizeof(float);
constexpr std::int64_t index_bytes = sizeof(std::int32_t);
constexpr std::int64_t index64_bytes = sizeof(std::int64_t);

/// Per value: negation aside, an exponential, a sum, a quotient; and backwards two products and a difference.
constexpr std::int64_t sigmoid_flops = 3;
constexpr std::int64_t sigmoid_gradient_flops = 3;

/// The bytes of so many values in float32.
constexpr std::int64_t floats(std::int64_t count) { return count * float_bytes; }

OperationCost product(const char* operation, const Conv2dShape& shape) {
  return {operation, 2 * shape.multiply_adds(),
          floats(shape.input_count() + shape.filters_count() + shape.output_count())};
}

OperationCost product(const char* operation, const DenseShape& shape) {
  return {operation, 2 * shape.multiply_adds(),
          floats(shape.input_count() + shape.weights_count() + shape.output_count())};
}

/// Elements on and below the diagonal.
constexpr std::int64_t triangle(std::int64_t dimensions) { return dimensions * (dimensions + 1) / 2; }

/// An operation on so many numbers in double precision, and on other bytes.
OperationCost in_double(const char* operation, std::int64_t flops, std::int64_t numbers, std::int64_t other_bytes = 0) {
  constexpr std::int64_t double_bytes = sizeof(double);
  return {operation, flops, double_bytes * numbers + other_bytes, true};
}

/// A gradient of a block: products at the chosen position of each window, and the sigmoid's gradient there. Reads the
/// gradient of the output, the output, and the positions.
OperationCost block_gradient(const char* operation, const Conv2dMaxpoolSigmoidShape& shape, std::int64_t other_floats) {
  const std::int64_t outputs = shape.output_count();
  const std::int64_t multiply_adds = outputs * shape.conv2d.channels * shape.conv2d.taps();
  return {operation, 2 * multiply_adds + sigmoid_gradient_flops * outputs,
          floats(2 * outputs + other_floats) + outputs};
}

}  // namespace

OperationCost forward(const Conv2dShape& shape) {
  OperationCost cost = product("conv2d_forward", shape);
  cost.bytes += floats(shape.filters);
  return cost;
}

OperationCost backward_data(const Conv2dShape& shape) { return product("conv2d_backward_data", shape); }

OperationCost backward_weights(const Conv2dShape& shape) { return product("conv2d_backward_filters", shape); }

OperationCost backward_bias(const Conv2dShape& shape) {
  return {"conv2d_backward_bias", shape.output_count(), floats(shape.output_count() + shape.filters)};
}

OperationCost forward(const MaxpoolShape& shape) {
  return {"maxpool_forward", 0,
          floats(shape.input_count() + shape.output_count()) + index_bytes * shape.output_count()};
}

OperationCost backward_data(const MaxpoolShape& shape) {
  return {"maxpool_backward", shape.output_count(),
          floats(shape.input_count() + shape.output_count()) + index_bytes * shape.output_count()};
}

OperationCost forward(const SigmoidShape& shape) {
  return {"sigmoid_forward", sigmoid_flops * shape.count, floats(2 * shape.count)};
}

OperationCost backward_data(const SigmoidShape& shape) {
  return {"sigmoid_backward", sigmoid_gradient_flops * shape.count, floats(3 * shape.count)};
}

OperationCost forward(const DenseShape& shape) {
  OperationCost cost = product("dense_forward", shape);
  cost.bytes += floats(shape.out_features);
  return cost;
}

OperationCost backward_data(const DenseShape& shape) { return product("dense_backward_data", shape); }

OperationCost backward_weights(const DenseShape& shape) { return product("dense_backward_weights", shape); }

OperationCost backward_bias(const DenseShape& shape) {
  return {"dense_backward_bias", shape.output_count(), floats(shape.output_count() + shape.out_features)};
}

OperationCost forward(const Conv2dMaxpoolSigmoidShape& shape) {
  const std::int64_t outputs = shape.output_count();
  const std::int64_t sums = outputs * shape.pool * shape.pool;  // those beyond the last whole window are not needed
  return {"conv2d_maxpool_sigmoid_forward",
          2 * sums * shape.conv2d.channels * shape.conv2d.taps() + sigmoid_flops * outputs,
          floats(shape.input_count() + shape.filters_count() + shape.conv2d.filters + outputs) + outputs};
}

OperationCost backward_data(const Conv2dMaxpoolSigmoidShape& shape) {
  return block_gradient("conv2d_maxpool_sigmoid_backward_data", shape, shape.filters_count() + shape.input_count());
}

OperationCost backward_weights(const Conv2dMaxpoolSigmoidShape& shape) {
  return block_gradient("conv2d_maxpool_sigmoid_backward_filters", shape, shape.input_count() + shape.filters_count());
}

OperationCost backward_bias(const Conv2dMaxpoolSigmoidShape& shape) {
  const std::int64_t outputs = shape.output_count();
  return {"conv2d_maxpool_sigmoid_backward_bias", (sigmoid_gradient_flops + 1) * outputs,
          floats(2 * outputs + shape.conv2d.filters)};
}

OperationCost softmax_cross_entropy(const SoftmaxCrossEntropyShape& shape, bool with_gradient) {
  // A logit: the difference to the largest, its exponential, the sum; and for the gradient quotient and scale. A row:
  // the logarithm and two differences; and for the gradient the difference at the label.
  const std::int64_t logit_flops = with_gradient ? 5 : 3;
  const std::int64_t row_flops = with_gradient ? 4 : 3;
  const std::int64_t tensors = with_gradient ? 2 : 1;
  return {"softmax_cross_entropy", logit_flops * shape.count() + row_flops * shape.batch,
          floats(tensors * shape.count() + shape.batch) + shape.batch};
}

OperationCost half_squared_error(const HalfSquaredErrorShape& shape, bool with_gradient) {
  // An element: the difference, its square, the sum; and for the gradient the scale. A row: half of the sum.
  const std::int64_t element_flops = with_gradient ? 4 : 3;
  const std::int64_t tensors = with_gradient ? 3 : 2;
  return {"half_squared_error", element_flops * shape.count() + shape.batch,
          floats(tensors * shape.count() + shape.batch)};
}

OperationCost accuracy(const SoftmaxCrossEntropyShape& shape) {
  return {"accuracy", 0, floats(shape.count()) + 2 * shape.batch};
}

OperationCost optimizer(OptimizerKind kind, std::int64_t count) {
  // Counted from the formulas of optimizer.h, weight decay and momentum included. Read: gradients, parameters and
  // state; written: parameters and state.
  switch (kind) {
    case OptimizerKind::sgd:
      return {"sgd", 6 * count, floats(5 * count)};
    case OptimizerKind::adam:
      return {"adam", 15 * count, floats(7 * count)};
    case OptimizerKind::adamw:
      return {"adamw", 14 * count, floats(7 * count)};
  }
  return {};
}

OperationCost gather(const GatherShape& shape) {
  const std::int64_t pixels = shape.batch * shape.image_size;
  return {"gather", 2 * pixels, pixels + floats(pixels) + (index_bytes + 2) * shape.batch};
}

OperationCost shuffle(std::int64_t count) { return {"shuffle", 0, index_bytes * count}; }

OperationCost gaussian_covariance(const GaussianSamples& samples) {
  // A value: the mean's sum and the difference to it. A pair of dimensions: a multiply-add a sample, and the quotient.
  const std::int64_t k = samples.dimensions;
  const std::int64_t pairs = triangle(k);
  const GaussianShape shape = samples.shape();
  return in_double(
      "gaussian_covariance",
      2 * samples.samples_count() + shape.means_count() + pairs * (2 * samples.offsets.back() + samples.gaussians()),
      samples.samples_count() + shape.means_count() + shape.matrices_count(),
      index64_bytes * (samples.gaussians() + 1));
}

OperationCost gaussian_cholesky(const GaussianShape& shape) {
  // Element (r, k): k multiply-adds, and a quotient or a square root.
  const std::int64_t k = shape.dimensions;
  const std::int64_t multiply_adds = (k - 1) * k * (k + 1) / 6;
  return in_double("gaussian_cholesky", shape.gaussians * (2 * multiply_adds + triangle(k)), 2 * shape.matrices_count(),
                   index_bytes * shape.gaussians);
}

OperationCost gaussian_solve(const GaussianSolveShape& shape) {
  // Element r of a column: r multiply-adds and a quotient.
  const std::int64_t column = shape.dimensions * shape.dimensions;
  return in_double("gaussian_solve", shape.gaussians * shape.columns * column,
                   shape.factors_count() + 2 * shape.sides_count());
}

OperationCost gaussian_pairs(const GaussianShape& shape) {
  // An ordered pair: a triangular system with a triangle for right sides (column c has K - c elements), and one with
  // the means'; the differences that these are; the squares and their sum; and log1p's share of the diagonal, a
  // handful.
  const std::int64_t k = shape.dimensions;
  const std::int64_t systems = (k - 1) * k * (k + 1) / 3 + triangle(k) + k * k;
  const std::int64_t others = 3 * (triangle(k) + k) + 4 * k;
  const std::int64_t pairs = shape.gaussians * (shape.gaussians - 1);
  return in_double("gaussian_pairs", pairs * (systems + others),
                   shape.means_count() + shape.matrices_count() + shape.pairs_count());
}

}  // namespace touchstone::cost
