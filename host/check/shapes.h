// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "host/check/case_random.h"
#include "touchstone/conv2d.h"
#include "touchstone/conv2d_maxpool_sigmoid.h"
#include "touchstone/dense.h"
#include "touchstone/half_squared_error.h"
#include "touchstone/maxpool.h"
#include "touchstone/softmax_cross_entropy.h"

/// The shapes of the operations that have more than a length: first the named edges, beyond them random ones. Heights
/// and widths differ, and so do most strides, kernels and paddings, so that swapped axes cannot cancel. Sizes stand
/// around 8, 16, 32 and 64, where tiles and vectors end, and are modest, so that a sweep takes seconds.
namespace touchstone::check {

/// A shape and what to call it.
template <class Shape>
struct LabelledShape {
  Shape shape;
  std::string label;  ///< "stride beyond kernel: N=2 C=3 ..."
};

LabelledShape<Conv2dShape> conv2d_shape(std::int64_t index, CaseRandom& random);
LabelledShape<Conv2dMaxpoolSigmoidShape> conv2d_maxpool_sigmoid_shape(std::int64_t index, CaseRandom& random);
LabelledShape<MaxpoolShape> maxpool_shape(std::int64_t index, CaseRandom& random);
LabelledShape<DenseShape> dense_shape(std::int64_t index, CaseRandom& random);
LabelledShape<SoftmaxCrossEntropyShape> softmax_shape(std::int64_t index, CaseRandom& random);
LabelledShape<HalfSquaredErrorShape> half_squared_error_shape(std::int64_t index, CaseRandom& random);
/// The number of elements of an elementwise operation.
LabelledShape<std::int64_t> length(std::int64_t index, CaseRandom& random);

}  // namespace touchstone::check
