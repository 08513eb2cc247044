// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "host/cpu/fused_block.h"
#include "host/cpu/workspace.h"
#include "host/reference/fused_plan.h"
#include "touchstone/plan.h"

namespace touchstone::cpu {

/// Some of the parameters: those that are updated together.
struct ParameterPart {
  std::size_t operation = 0;
  FilterRange filters;                 ///< of a fused block; empty elsewhere
  std::vector<FloatRange> parameters;  ///< in the plan's flat layout
  std::vector<FloatRange> sums;        ///< in a gradient sum

  [[nodiscard]] std::int64_t parameter_count() const {
    std::int64_t count = 0;
    for (const FloatRange& range : parameters) {
      count += range.count;
    }
    return count;
  }
};

/// A plan's operations, fused where they can be, the parts that their parameters are updated in, and the layout in
/// which the passes sum gradients: that of the plan, but for fused blocks, which have their own.
class NetworkParameters {
 public:
  /// `blocks`: as of fuse().
  explicit NetworkParameters(const ExecutionPlan& plan, bool blocks = true);

  [[nodiscard]] const std::vector<FusedOperation>& operations() const { return operations_; }

  /// The parts that all parameters consist of: they depend on the plan alone, and each may be worked on by another
  /// thread.
  [[nodiscard]] const std::vector<ParameterPart>& parts() const { return parts_; }

  /// Floats of a gradient sum, and where that of an operation begins.
  [[nodiscard]] std::int64_t sum_floats() const { return sum_floats_; }
  [[nodiscard]] std::int64_t sum_begin(std::size_t operation) const { return sum_begins_[operation]; }
  /// Where the weights' gradient of an operation that is no block is summed: of a tied one, at the place of the
  /// operation whose weights it shares.
  [[nodiscard]] std::int64_t weights_sum_begin(std::size_t operation) const { return weights_sum_begins_[operation]; }

  /// Brings a gradient sum into the plan's flat layout.
  void collect(const ParameterPart& part, const float* sums, float* gradients, Workspace& workspace) const;

 private:
  void add_block(std::size_t operation, const Conv2dMaxpoolSigmoidShape& shape);
  void add_slices(std::size_t operation, std::int64_t begin, std::int64_t count, std::int64_t sum_begin);

  std::vector<FusedOperation> operations_;
  std::vector<ParameterPart> parts_;
  std::vector<std::int64_t> sum_begins_;  // [operation]
  std::vector<std::int64_t> weights_sum_begins_;
  std::int64_t sum_floats_ = 0;
};

}  // namespace touchstone::cpu
