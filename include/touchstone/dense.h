// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace touchstone {

/// The geometry of a dense (fully connected) layer: input [N,in], weights [out,in], bias [out], output [N,out]:
///
///   output[n,o] = bias[o] + sum over i of input[n,i] * weights[o,i]
///
/// With transposed_weights they stand as [in,out], as those of another layer with input and output swapped: what is
/// called weights[o,i] is then at i*out + o. The same goes for their gradient.
struct DenseShape {
  std::int64_t batch = 1;
  std::int64_t in_features = 1;
  std::int64_t out_features = 1;
  bool transposed_weights = false;

  [[nodiscard]] constexpr std::int64_t input_count() const { return batch * in_features; }
  [[nodiscard]] constexpr std::int64_t weights_count() const { return out_features * in_features; }
  /// Where weights[o,i] stands.
  [[nodiscard]] constexpr std::int64_t weight_at(std::int64_t o, std::int64_t i) const {
    return transposed_weights ? i * out_features + o : o * in_features + i;
  }
  [[nodiscard]] constexpr std::int64_t output_count() const { return batch * out_features; }
  [[nodiscard]] constexpr std::int64_t multiply_adds() const { return output_count() * in_features; }

  /// Throws Error unless every size is positive (the batch may be 0).
  void validate() const;

  bool operator==(const DenseShape&) const = default;
};

namespace reference {

/// As in DenseShape, in double precision. `bias` may be nullptr.
void dense_forward(const DenseShape& shape, const double* input, const double* weights, const double* bias,
                   double* output);

/// grad_input[n,i] = sum over o of grad_output[n,o] * weights[o,i].
void dense_backward_data(const DenseShape& shape, const double* grad_output, const double* weights, double* grad_input);

/// grad_weights[o,i] = sum over n of grad_output[n,o] * input[n,i].
void dense_backward_weights(const DenseShape& shape, const double* grad_output, const double* input,
                            double* grad_weights);

/// grad_bias[o] = sum over n of grad_output[n,o].
void dense_backward_bias(const DenseShape& shape, const double* grad_output, double* grad_bias);

}  // namespace reference

namespace cpu {

class Workspace;

/// As reference::dense_forward in float32.
void dense_forward(const DenseShape& shape, const float* input, const float* weights, const float* bias, float* output,
                   Workspace& workspace);
/// As reference::dense_backward_data in float32.
void dense_backward_data(const DenseShape& shape, const float* grad_output, const float* weights, float* grad_input,
                         Workspace& workspace);
/// As reference::dense_backward_weights in float32.
void dense_backward_weights(const DenseShape& shape, const float* grad_output, const float* input, float* grad_weights,
                            Workspace& workspace);
/// As reference::dense_backward_bias in float32.
void dense_backward_bias(const DenseShape& shape, const float* grad_output, float* grad_bias, Workspace& workspace);

}  // namespace cpu
}  // namespace touchstone
