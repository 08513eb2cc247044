// SPDX-License-Identifier: Apache-2.0
//
// Dense (fully connected) layer and its gradients, in float32. Formulas and layouts: DenseShape.
//
// Forward: dot products of samples with rows of weights (dot_products-inl.h). The gradients by the input and by the
// weights are weighted sums of rows (weighted_sums-inl.h), of the weights and of the inputs. With transposed weights,
// whose rows are columns, forward and the gradient by the input change places.
#include "touchstone/dense.h"

#include <cstdint>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "host/cpu/dense.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "host/cpu/dot_products-inl.h"
#include "host/cpu/simd-inl.h"
#include "host/cpu/weighted_sums-inl.h"
#include "host/cpu/workspace.h"

HWY_BEFORE_NAMESPACE();
namespace touchstone::cpu {
namespace HWY_NAMESPACE {
namespace {

/// first, first + step, first + 2 step, ...
std::int64_t* multiples(std::int64_t count, std::int64_t step, Workspace& workspace) {
  auto* values = workspace.allocate<std::int64_t>(count);
  for (std::int64_t i = 0; i < count; ++i) {
    values[i] = i * step;
  }
  return values;
}

/// output[r][c] = sum over t of left[r][t] * right[c][t], rows of `length` floats.
void multiply_rows(const float* left, std::int64_t rows, const float* right, std::int64_t columns, std::int64_t length,
                   float* output, Workspace& workspace) {
  const Workspace::Scope scope(workspace);
  dot_products({.left = left,
                .left_pitch = length,
                .left_batch = 0,
                .right = right,
                .right_offsets = multiples(columns, length, workspace),
                .right_batch = 0,
                .rows = rows,
                .columns = columns,
                .length = length,
                .batch = 1,
                .output = output,
                .output_pitch = columns,
                .output_columns = multiples(columns, 1, workspace)});
}

/// output[r][x] = sum over t of weights[r][t] * source[t][x], rows of `columns` floats; weights[r][t] stands at
/// r*row_stride + t*term_stride.
void sum_rows(const float* source, std::int64_t terms, std::int64_t columns, const float* weights,
              std::int64_t row_stride, std::int64_t term_stride, std::int64_t rows, float* output,
              Workspace& workspace) {
  if (terms == 0) {  // of an empty mini-batch, whose tensors need not be there
    fill_zero(output, rows * columns);
    return;
  }
  const Workspace::Scope scope(workspace);
  auto* packed = workspace.allocate<float>(rows * terms);
  pack_weights(weights, row_stride, term_stride, rows, terms, packed);
  weighted_sums<SourceEnd::exact>({.source = source,
                                   .offsets = multiples(terms, columns, workspace),
                                   .terms = terms,
                                   .first_term = 0,
                                   .last_term = terms,
                                   .weights = packed,
                                   .initial = nullptr,
                                   .rows = rows,
                                   .columns = columns,
                                   .output = output,
                                   .output_pitch = columns});
}

void dense_forward_kernel(const DenseShape& shape, const float* input, const float* weights, const float* bias,
                          float* output, Workspace& workspace) {
  if (shape.transposed_weights) {
    sum_rows(weights, shape.in_features, shape.out_features, input, shape.in_features, 1, shape.batch, output,
             workspace);
  } else {
    multiply_rows(input, shape.batch, weights, shape.out_features, shape.in_features, output, workspace);
  }
  for (std::int64_t n = 0; bias != nullptr && n < shape.batch; ++n) {
    add_floats(bias, output + n * shape.out_features, shape.out_features);
  }
}

void dense_backward_data_kernel(const DenseShape& shape, const float* grad_output, const float* weights,
                                float* grad_input, Workspace& workspace) {
  if (shape.transposed_weights) {
    multiply_rows(grad_output, shape.batch, weights, shape.in_features, shape.out_features, grad_input, workspace);
  } else {
    sum_rows(weights, shape.out_features, shape.in_features, grad_output, shape.out_features, 1, shape.batch,
             grad_input, workspace);
  }
}

void dense_backward_weights_kernel(const DenseShape& shape, const float* grad_output, const float* input,
                                   float* grad_weights, Workspace& workspace) {
  if (shape.transposed_weights) {
    sum_rows(grad_output, shape.batch, shape.out_features, input, 1, shape.in_features, shape.in_features, grad_weights,
             workspace);
  } else {
    sum_rows(input, shape.batch, shape.in_features, grad_output, 1, shape.out_features, shape.out_features,
             grad_weights, workspace);
  }
}

void dense_backward_bias_kernel(const DenseShape& shape, const float* grad_output, float* grad_bias) {
  fill_zero(grad_bias, shape.out_features);
  for (std::int64_t n = 0; n < shape.batch; ++n) {
    add_floats(grad_output + n * shape.out_features, grad_bias, shape.out_features);
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace touchstone::cpu
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace touchstone::cpu {

namespace {
HWY_EXPORT(dense_forward_kernel);
HWY_EXPORT(dense_backward_data_kernel);
HWY_EXPORT(dense_backward_weights_kernel);
HWY_EXPORT(dense_backward_bias_kernel);
}  // namespace

void dense_forward(const DenseShape& shape, const float* input, const float* weights, const float* bias, float* output,
                   Workspace& workspace) {
  shape.validate();
  HWY_DYNAMIC_DISPATCH(dense_forward_kernel)(shape, input, weights, bias, output, workspace);
}

void dense_backward_data(const DenseShape& shape, const float* grad_output, const float* weights, float* grad_input,
                         Workspace& workspace) {
  shape.validate();
  HWY_DYNAMIC_DISPATCH(dense_backward_data_kernel)(shape, grad_output, weights, grad_input, workspace);
}

void dense_backward_weights(const DenseShape& shape, const float* grad_output, const float* input, float* grad_weights,
                            Workspace& workspace) {
  shape.validate();
  HWY_DYNAMIC_DISPATCH(dense_backward_weights_kernel)(shape, grad_output, input, grad_weights, workspace);
}

void dense_backward_bias(const DenseShape& shape, const float* grad_output, float* grad_bias,
                         Workspace& /*workspace*/) {
  shape.validate();
  HWY_DYNAMIC_DISPATCH(dense_backward_bias_kernel)(shape, grad_output, grad_bias);
}

}  // namespace touchstone::cpu

#endif  // HWY_ONCE
