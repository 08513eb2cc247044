// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "touchstone/plan.h"

namespace touchstone::reference {

/// The forward and backward pass of a plan over one mini-batch, layer by layer. Keeps what the backward pass needs of
/// the forward pass: every operation's input and output, and the argmax of every max-pool.
class NetworkPass {
 public:
  explicit NetworkPass(const ExecutionPlan& plan);

  /// Makes room for `batch` samples and returns where their images [batch, input_count] go.
  double* begin(std::int64_t batch);

  /// From the images to the logits, which it returns: [batch, classes].
  const std::vector<double>& forward(const std::vector<double>& parameters);

  /// What operation `index` read in the last forward pass: [batch, its input_count].
  [[nodiscard]] const std::vector<double>& input_of(std::size_t index) const { return activations_[index]; }

  /// From the gradient by the logits [batch, classes] to the gradient by the parameters, in the plan's flat layout
  /// (zeros in the gaps).
  [[nodiscard]] std::vector<double> backward(const std::vector<double>& parameters,
                                             std::vector<double> grad_logits) const;

 private:
  ExecutionPlan plan_;
  std::int64_t batch_ = 0;
  std::vector<std::vector<double>> activations_;   // [operation]: its input; the last: the logits
  std::vector<std::vector<std::int32_t>> argmax_;  // [operation]: empty but for max-pools
};

}  // namespace touchstone::reference
