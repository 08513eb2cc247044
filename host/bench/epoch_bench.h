// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "touchstone/device.h"

namespace touchstone::bench {

/// A network's training at a batch size.
struct EpochCase {
  std::string network;
  std::int64_t batch_size = 64;
};

struct EpochSettings {
  DeviceRequest device = {};
  std::optional<DeviceRequest> against = {};
  std::uint64_t seed = 1;
  double most_seconds = 1;  ///< an epoch that takes longer is estimated from as many steps as fit, at least one
};

/// How two devices that start alike differ after some steps.
struct EpochComparison {
  double seconds = 0;  ///< an epoch on the other device
  double speedup = 0;  ///< how many times as long the other takes
  std::int64_t steps = 0;
  double worst_error = 0;  ///< the largest difference of two parameters after so many steps, over the largest parameter
};

/// What an epoch of 60,000 images takes.
struct EpochLine {
  std::string network;
  std::int64_t batch_size = 0;
  double seconds = 0;
  std::int64_t measured_steps = 0;  ///< those that were run; an epoch has more or fewer
  ExecutionPath path = {};          ///< how the device ran them
  /// What it takes layer by layer, where the device chose another path and may choose.
  std::optional<double> layered_seconds = {};
  std::optional<EpochComparison> against = {};

  [[nodiscard]] double images_per_second() const;
  /// How many times as long the layered path takes; 0 where it was not measured.
  [[nodiscard]] double fused_speedup() const { return layered_seconds.value_or(0) / seconds; }
};

/// The networks that ship at each batch size.
std::vector<EpochCase> epoch_cases(const std::vector<std::string>& networks,
                                   const std::vector<std::int64_t>& batch_sizes);

/// 16, 32, ... 1024.
std::vector<std::int64_t> default_batch_sizes();

/// Measures one of them; on both paths where the device has both and is not told which.
EpochLine measure_epoch(const EpochCase& epoch, const EpochSettings& settings);

}  // namespace touchstone::bench
