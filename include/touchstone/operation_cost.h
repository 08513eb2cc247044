// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "touchstone/conv2d.h"
#include "touchstone/conv2d_maxpool_sigmoid.h"
#include "touchstone/dense.h"
#include "touchstone/gather.h"
#include "touchstone/gaussian_operations.h"
#include "touchstone/half_squared_error.h"
#include "touchstone/maxpool.h"
#include "touchstone/optimizer.h"
#include "touchstone/plan.h"
#include "touchstone/softmax_cross_entropy.h"

namespace touchstone {

/// What an operation has to do, however it is computed.
///
/// FLOPs: a sum, a product, a quotient, a square root, an exponential and a logarithm count one each, a multiply-add
/// two; comparisons, copies and what integers do count nothing. Bytes are compulsory ones: each tensor that is read
/// counts once, and so does each that is written, in float32 unless it holds labels, pixels or indices; those of
/// Gaussians in double precision.
struct OperationCost {
  const char* operation = "";  ///< the function's name: "conv2d_forward"
  std::int64_t flops = 0;
  std::int64_t bytes = 0;
  bool double_precision = false;

  /// Adds the work of another; keeps the name.
  constexpr OperationCost& operator+=(const OperationCost& other) {
    flops += other.flops;
    bytes += other.bytes;
    return *this;
  }
};

/// The operations' costs: those of layers by their shape, so that whoever visits a plan needs no names.
namespace cost {

OperationCost forward(const Conv2dShape& shape);
OperationCost backward_data(const Conv2dShape& shape);
OperationCost backward_weights(const Conv2dShape& shape);
OperationCost backward_bias(const Conv2dShape& shape);

OperationCost forward(const MaxpoolShape& shape);
OperationCost backward_data(const MaxpoolShape& shape);

OperationCost forward(const SigmoidShape& shape);
OperationCost backward_data(const SigmoidShape& shape);

OperationCost forward(const DenseShape& shape);
OperationCost backward_data(const DenseShape& shape);
OperationCost backward_weights(const DenseShape& shape);
OperationCost backward_bias(const DenseShape& shape);

/// Forwards all sums are needed to find the largest; backwards those at the argmax positions alone, a fraction of
/// 1 / pool^2 of what the convolution by itself takes.
OperationCost forward(const Conv2dMaxpoolSigmoidShape& shape);
OperationCost backward_data(const Conv2dMaxpoolSigmoidShape& shape);
OperationCost backward_weights(const Conv2dMaxpoolSigmoidShape& shape);
OperationCost backward_bias(const Conv2dMaxpoolSigmoidShape& shape);

/// `with_gradient`: false where only the losses are wanted.
OperationCost softmax_cross_entropy(const SoftmaxCrossEntropyShape& shape, bool with_gradient = true);
OperationCost half_squared_error(const HalfSquaredErrorShape& shape, bool with_gradient = true);
OperationCost accuracy(const SoftmaxCrossEntropyShape& shape);
/// One step of sgd, adam or adamw over `count` parameters.
OperationCost optimizer(OptimizerKind kind, std::int64_t count);
OperationCost gather(const GatherShape& shape);
OperationCost shuffle(std::int64_t count);

/// Of a covariance one triangle is computed, the other is its copy.
OperationCost gaussian_covariance(const GaussianSamples& samples);
OperationCost gaussian_cholesky(const GaussianShape& shape);
OperationCost gaussian_solve(const GaussianSolveShape& shape);
OperationCost gaussian_pairs(const GaussianShape& shape);

}  // namespace cost
}  // namespace touchstone
