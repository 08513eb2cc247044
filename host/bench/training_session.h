// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "touchstone/dataset.h"
#include "touchstone/device.h"
#include "touchstone/executor.h"
#include "touchstone/network.h"

namespace touchstone::bench {

/// Images and labels to measure with, for a network of any size: random pixels, for what they show takes no time. As
/// many as an epoch has, fewer where they are large.
SharedImageSet random_images(const Network& network, std::uint64_t seed);

/// The number of images in what is called an epoch here: MNIST's.
inline constexpr std::int64_t epoch_images = 60'000;

/// How a network is trained while it is measured.
struct SessionSettings {
  std::int64_t batch_size = 64;
  std::uint64_t seed = 1;
  DeviceRequest device = {};
};

/// A network in training on a device, step by step as the network's recipe has it. The same settings give the same
/// steps on each device.
class TrainingSession {
 public:
  /// `images` is what random_images() gives, or a set of the network's input size.
  TrainingSession(const Network& network, SharedImageSet images, const SessionSettings& settings);

  [[nodiscard]] Executor& executor() { return *executor_; }

  /// Back to the initial parameters, and to the first step.
  void restart();

  /// Runs the next `count` steps; the seconds that they took. Throws Error where the loss becomes NaN or infinite.
  double run(std::int64_t count);

 private:
  /// The samples of so many steps: the images are gone through again and again.
  [[nodiscard]] std::vector<std::uint32_t> samples_of(std::int64_t first_step, std::int64_t count) const;

  SharedImageSet images_;
  SessionSettings settings_;
  std::vector<std::uint32_t> order_;
  ExecutorState initial_;
  std::unique_ptr<Executor> executor_;
  std::int64_t steps_done_ = 0;
};

}  // namespace touchstone::bench
