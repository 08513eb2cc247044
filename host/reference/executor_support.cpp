// SPDX-License-Identifier: Apache-2.0
#include "host/reference/executor_support.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <fmt/format.h>

#include "touchstone/error.h"

namespace touchstone {

namespace {

std::string describe(const ImageShape& shape) {
  return fmt::format("{}x{}x{}", shape.channels, shape.height, shape.width);
}

/// The image that the plan's first operation reads, where that operation knows more than the number of values.
std::optional<ImageShape> input_shape(const ExecutionPlan& plan) {
  using Result = std::optional<ImageShape>;
  if (plan.operations.empty()) {
    return std::nullopt;
  }
  return std::visit(Overloaded{[](const Conv2dShape& s) -> Result {
                                 return ImageShape{s.channels, s.height, s.width};
                               },
                               [](const MaxpoolShape& s) -> Result {
                                 return ImageShape{s.channels, s.height, s.width};
                               },
                               [](const auto& /*flat*/) -> Result { return std::nullopt; }},
                    plan.operations.front().shape);
}

void require_image_size(const ExecutionPlan& plan, Split split, const ImageShape& shape) {
  const std::optional<ImageShape> expected = input_shape(plan);
  if (expected && shape != *expected) {
    throw Error(fmt::format("the {} images are {}; the network takes {}", to_string(split), describe(shape),
                            describe(*expected)));
  }
  if (shape.count() != plan.input_count) {
    throw Error(fmt::format("the {} images are {}, which is {} values; the network takes {}", to_string(split),
                            describe(shape), shape.count(), plan.input_count));
  }
}

void require_complete(Split split, const ImageSet& images) {
  const auto pixels = static_cast<std::int64_t>(images.pixels.size());
  const auto labels = static_cast<std::int64_t>(images.labels.size());
  if (pixels != images.count * images.shape.count() || labels != images.count) {
    throw Error(fmt::format("the {} set has {} pixels and {} labels; {} images of {} want {} and {}", to_string(split),
                            pixels, labels, images.count, describe(images.shape), images.count * images.shape.count(),
                            images.count));
  }
}

void require_labels(Split split, const ImageSet& images, std::int64_t classes) {
  const auto wrong = std::find_if(images.labels.begin(), images.labels.end(),
                                  [classes](std::uint8_t label) { return label >= classes; });
  if (wrong != images.labels.end()) {
    throw Error(fmt::format("{} image {} has label {}; the network has {} classes (labels 0 to {})", to_string(split),
                            wrong - images.labels.begin(), *wrong, classes, classes - 1));
  }
}

void require_parameter_count(std::string_view what, std::size_t count, const ExecutionPlan& plan) {
  if (static_cast<std::int64_t>(count) != plan.parameter_floats) {
    throw Error(
        fmt::format("the executor state has {} values of {}; the network has {}", count, what, plan.parameter_floats));
  }
}

}  // namespace

std::string_view to_string(Split split) { return split == Split::training ? "training" : "test"; }

void validate(const ExecutorSettings& settings) {
  settings.optimizer.validate();
  if (settings.batch_size < 1) {
    throw Error(fmt::format("the batch size is {}; it must be at least 1", settings.batch_size));
  }
}

void validate(const ExecutorState& state, const ExecutorSettings& settings) {
  require_parameter_count("parameters", state.parameters.size(), settings.plan);
  const auto slots = static_cast<std::size_t>(settings.optimizer.slots());
  if (state.optimizer_slots.size() != slots) {
    throw Error(fmt::format("the executor state has {} optimizer slots; {} keeps {}", state.optimizer_slots.size(),
                            to_string(settings.optimizer.kind), slots));
  }
  for (const std::vector<double>& slot : state.optimizer_slots) {
    require_parameter_count("an optimizer slot", slot.size(), settings.plan);
  }
}

void validate(const TrainingSteps& steps, const ExecutorSettings& settings) {
  if (steps.batch_size < 1 || steps.batch_size > settings.batch_size) {
    throw Error(fmt::format("the batch size of a training step is {}; this executor takes 1 to {}", steps.batch_size,
                            settings.batch_size));
  }
  const std::int64_t count = batch_count(steps.samples.size(), steps.batch_size);
  if (static_cast<std::int64_t>(steps.learning_rates.size()) != count) {
    throw Error(fmt::format("{} learning rates are given for {} training steps ({} samples in batches of {})",
                            steps.learning_rates.size(), count, steps.samples.size(), steps.batch_size));
  }
}

std::span<const std::uint32_t> batch_of(std::span<const std::uint32_t> samples, std::int64_t batch_size,
                                        std::int64_t index) {
  const auto begin = static_cast<std::size_t>(index * batch_size);
  return samples.subspan(begin, std::min(static_cast<std::size_t>(batch_size), samples.size() - begin));
}

void UploadedImages::upload(const ExecutionPlan& plan, Split split, SharedImageSet images) {
  require_image_size(plan, split, images->shape);
  require_complete(split, *images);
  if (plan.loss == Loss::softmax_cross_entropy) {
    require_labels(split, *images, plan.classes);
  }
  sets_.at(static_cast<std::size_t>(split)) = std::move(images);
}

const ImageSet& UploadedImages::holding(Split split, std::span<const std::uint32_t> samples) const {
  const SharedImageSet& images = sets_.at(static_cast<std::size_t>(split));
  if (images == nullptr) {
    throw Error(fmt::format("no {} images have been uploaded", to_string(split)));
  }
  const auto outside =
      std::find_if(samples.begin(), samples.end(), [&images](std::uint32_t index) { return index >= images->count; });
  if (outside != samples.end()) {
    throw Error(
        fmt::format("{} sample {} was asked for; the set has {} images", to_string(split), *outside, images->count));
  }
  return *images;
}

void Executor::start_recording() {
  throw UsageError(
      fmt::format("{} does not time single operations; expected cpu, emulated or a cuda device", device()));
}

std::vector<RecordedOperation> Executor::stop_recording() { return {}; }

}  // namespace touchstone
