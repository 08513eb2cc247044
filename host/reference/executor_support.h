// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "touchstone/executor.h"

/// What every executor needs beside its arithmetic: the checks of what it is given, and the cutting of a list of
/// samples into mini-batches.
namespace touchstone {

/// A visitor of an operation's shape, made of one callable per kind: std::visit(Overloaded{[](const Conv2dShape& ...
template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <class... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

/// The shapes of a plan are those of one sample; these are the shapes for a mini-batch.
constexpr Conv2dShape with_batch(Conv2dShape shape, std::int64_t batch) {
  shape.batch = batch;
  return shape;
}
constexpr MaxpoolShape with_batch(MaxpoolShape shape, std::int64_t batch) {
  shape.batch = batch;
  return shape;
}
constexpr SigmoidShape with_batch(SigmoidShape shape, std::int64_t batch) {
  shape.count *= batch;
  return shape;
}
constexpr DenseShape with_batch(DenseShape shape, std::int64_t batch) {
  shape.batch = batch;
  return shape;
}

/// "training" or "test".
std::string_view to_string(Split split);

/// Throws UsageError where the optimizer's settings are out of range, Error where the batch size is not positive.
void validate(const ExecutorSettings& settings);

/// Throws Error unless the state has the sizes that the plan and the optimizer want.
void validate(const ExecutorState& state, const ExecutorSettings& settings);

/// Throws Error unless there is one learning rate a step and the batch size is positive and at most the one that the
/// executor is made for.
void validate(const TrainingSteps& steps, const ExecutorSettings& settings);

/// The number of mini-batches of up to `batch_size` samples.
constexpr std::int64_t batch_count(std::size_t samples, std::int64_t batch_size) {
  return (static_cast<std::int64_t>(samples) + batch_size - 1) / batch_size;
}

/// Mini-batch number `index` of a list of samples; the last may be smaller.
std::span<const std::uint32_t> batch_of(std::span<const std::uint32_t> samples, std::int64_t batch_size,
                                        std::int64_t index);

/// The image sets that an executor was given, each checked against the plan.
class UploadedImages {
 public:
  /// Keeps `images`. Throws Error where they do not fit the plan, or where a label is not below its classes.
  void upload(const ExecutionPlan& plan, Split split, SharedImageSet images);

  /// The set of a split. Throws Error where none was uploaded, or where one of the samples is not in it.
  [[nodiscard]] const ImageSet& holding(Split split, std::span<const std::uint32_t> samples) const;

 private:
  std::array<SharedImageSet, 2> sets_;
};

}  // namespace touchstone
