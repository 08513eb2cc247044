// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <memory>
#include <numeric>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "host/train/data_fit.h"
#include "touchstone/error.h"
#include "touchstone/plan.h"
#include "touchstone/softmax_cross_entropy.h"
#include "touchstone/training.h"

namespace touchstone {
namespace {

constexpr std::int64_t slice = 256;  // images whose logits are computed at once

/// An executor with the model's parameters that holds `images` as the test split.
std::unique_ptr<Executor> make_tester(const Model& model, const SharedImageSet& images, const DeviceRequest& device) {
  std::unique_ptr<Executor> executor = make_executor(device, {.plan = make_plan(model.network),
                                                              .normalisation = model.normalisation,
                                                              .optimizer = {},
                                                              .batch_size = std::min(slice, images->count)});
  executor->upload(Split::test, images);
  const std::size_t floats = model.parameters.size();
  executor->set_state({.parameters = {model.parameters.begin(), model.parameters.end()},
                       .optimizer_slots = {std::vector<double>(floats, 0.0)}});
  return executor;
}

/// The indices of up to `slice` images from `begin` on.
std::vector<std::uint32_t> slice_of(const ImageSet& images, std::int64_t begin) {
  std::vector<std::uint32_t> samples(static_cast<std::size_t>(std::min(slice, images.count - begin)));
  std::iota(samples.begin(), samples.end(), static_cast<std::uint32_t>(begin));
  return samples;
}

/// Calls visit(index, logits) for each image, the logits in double precision.
template <typename Visit>
void for_each_logits(const Model& model, const SharedImageSet& images, const DeviceRequest& device, Visit&& visit) {
  const std::unique_ptr<Executor> executor = make_tester(model, images, device);
  const auto outputs = static_cast<std::size_t>(model.network.output_count());
  for (std::int64_t begin = 0; begin < images->count; begin += slice) {
    const std::vector<std::uint32_t> samples = slice_of(*images, begin);
    const std::vector<float> logits = executor->logits(Split::test, samples);
    for (std::size_t i = 0; i < samples.size(); ++i) {
      const auto first = logits.begin() + static_cast<std::ptrdiff_t>(i * outputs);
      visit(samples[i], std::vector<double>(first, first + static_cast<std::ptrdiff_t>(outputs)));
    }
  }
}

/// What `outputs` (Executor::codes or Executor::logits) gives for all images.
std::vector<float> collect(const Model& model, const SharedImageSet& images, const DeviceRequest& device,
                           std::vector<float> (Executor::*outputs)(Split, std::span<const std::uint32_t>)) {
  check_fit(model.network, *images, "test");
  const std::unique_ptr<Executor> executor = make_tester(model, images, device);
  std::vector<float> values;
  for (std::int64_t begin = 0; begin < images->count; begin += slice) {
    const std::vector<float> part = (executor.get()->*outputs)(Split::test, slice_of(*images, begin));
    values.insert(values.end(), part.begin(), part.end());
  }
  return values;
}

Evaluation evaluate_reconstructions(const Model& model, const SharedImageSet& images, const DeviceRequest& device) {
  std::vector<std::uint32_t> samples(static_cast<std::size_t>(images->count));
  std::iota(samples.begin(), samples.end(), 0U);
  const Metrics metrics = make_tester(model, images, device)->evaluate(Split::test, samples);
  return {.loss = metrics.mean_loss(), .count = metrics.count};
}

}  // namespace

Evaluation evaluate(const Model& model, const SharedImageSet& images, const DeviceRequest& device) {
  check_fit(model.network, *images, "test");
  if (model.network.is_autoencoder()) return evaluate_reconstructions(model, images, device);
  const auto classes = static_cast<std::size_t>(model.network.classes());
  Evaluation evaluation{.loss = 0,
                        .accuracy = 0,
                        .count = images->count,
                        .confusion = std::vector(classes, std::vector<std::int64_t>(classes, 0))};
  std::int64_t correct = 0;
  const SoftmaxCrossEntropyShape shape{.batch = 1, .classes = model.network.classes()};
  for_each_logits(model, images, device, [&](std::uint32_t index, const std::vector<double>& logits) {
    const std::uint8_t label = images->labels[index];
    double loss = 0;
    reference::cross_entropy_forward(shape, logits.data(), &label, &loss);
    evaluation.loss += loss;
    const auto prediction = static_cast<std::size_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
    correct += prediction == label ? 1 : 0;
    ++evaluation.confusion[label][prediction];
  });
  evaluation.loss /= static_cast<double>(images->count);
  evaluation.accuracy = static_cast<double>(correct) / static_cast<double>(images->count);
  return evaluation;
}

Codes encode(const Model& model, const SharedImageSet& images, const DeviceRequest& device) {
  const ExecutionPlan plan = make_plan(model.network);
  std::vector<float> values = collect(model, images, device, &Executor::codes);
  return {
      .count = images->count, .size = plan.operations[plan.code_operation].input_count, .values = std::move(values)};
}

std::vector<float> reconstruct(const Model& model, const SharedImageSet& images, const DeviceRequest& device) {
  if (!model.network.is_autoencoder()) {
    throw Error(
        fmt::format("the network `{}` is a classifier, which does not reconstruct images; expected an "
                    "autoencoder (`loss = \"half-squared-error\"`), such as `touchstone train --network "
                    "autoencoder` trains",
                    model.network.name()));
  }
  return collect(model, images, device, &Executor::logits);
}

std::vector<std::vector<double>> predict(const Model& model, const SharedImageSet& images,
                                         const DeviceRequest& device) {
  if (model.network.is_autoencoder()) {
    throw Error(
        fmt::format("the network `{}` is an autoencoder, which reconstructs images and knows no classes; "
                    "`touchstone reconstruct` shows what it makes of them",
                    model.network.name()));
  }
  std::vector<std::vector<double>> probabilities(static_cast<std::size_t>(images->count));
  const SoftmaxCrossEntropyShape shape{.batch = 1, .classes = model.network.classes()};
  for_each_logits(model, images, device, [&](std::uint32_t index, const std::vector<double>& logits) {
    probabilities[index].resize(logits.size());
    reference::softmax_forward(shape, logits.data(), probabilities[index].data());
  });
  return probabilities;
}

}  // namespace touchstone
