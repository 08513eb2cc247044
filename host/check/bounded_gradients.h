// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "touchstone/execution_path.h"
#include "touchstone/plan.h"

namespace touchstone::check {

/// The gradient of a mini-batch's mean loss in the plan's flat layout, with a bound on the error of each element of any
/// float32 evaluation.
struct BoundedGradients {
  std::vector<double> values;
  std::vector<double> bounds;
  /// Windows of max-pools whose largest elements are closer to each other than their forward bounds: a device may
  /// choose another one than the reference.
  std::int64_t close_windows = 0;
};

/// [operation of the plan]; no more than its first ones need be there.
using SumMethods = std::vector<SumMethod>;

/// Running error analysis of a whole network, operation by operation, forward and backward: each tensor is carried
/// along with a bound on the error of each of its elements.
///
/// A sum of products of inexact operands, |a' - a| <= ea and |b' - b| <= eb, is off by at most
///   sum (|a| + ea)(|b| + eb) - sum |a||b|  +  gamma(n + 1) * sum (|a| + ea)(|b| + eb)
/// (the + 1 is the scale of the mean, which a device may apply last). In a close window the gradient may go to any of
/// the close elements: their bounds grow by the gradient itself, which covers every choice, so that no device need be
/// followed in its choices. Elements that are equal in the reference's double precision are not close but tied: they
/// come from equal images of the same receptive field (the background of a digit), and whichever of them is chosen,
/// the gradients of the parameters are the same.
///
/// The sums of a convolution are bounded by its method, of `methods` by its index in the plan; where there is none, as
/// plain sums. By Winograd's method: winograd_sums.h. By tensor cores a sum of n terms takes part as one of 2n + 16
/// (kernels/tensor_core.h), and what is kept as two TF32 numbers is off by 2^-22 of itself.
///
/// `parameters` as in an Executor's state, exact; `images` [batch, input_count], exact.
BoundedGradients bounded_gradients(const ExecutionPlan& plan, const std::vector<double>& parameters,
                                   std::vector<double> images, std::span<const std::uint8_t> labels,
                                   const SumMethods& methods = {});

/// How many close windows each sample has.
std::vector<std::int64_t> close_windows(const ExecutionPlan& plan, const std::vector<double>& parameters,
                                        std::vector<double> images, std::int64_t batch, const SumMethods& methods = {});

}  // namespace touchstone::check
