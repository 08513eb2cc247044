// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "host/bench/bench_cases.h"
#include "host/bench/epoch_bench.h"
#include "host/bench/peaks.h"
#include "host/bench/sampler.h"
#include "touchstone/device.h"

namespace touchstone::bench {

/// What stands for the training of whole networks among the names of operations.
inline constexpr const char* epoch_name = "epoch";

/// What is measured.
struct BenchSettings {
  DeviceRequest device = {};
  std::optional<DeviceRequest> against = {};
  std::vector<std::string> names = {};                            ///< of bench_names(); empty: all
  std::vector<std::string> sets = {};                             ///< of set_names(); empty: what is fit for the device
  std::int64_t batch = 64;                                        ///< samples of the operations of networks
  std::vector<std::int64_t> batch_sizes = default_batch_sizes();  ///< of the epochs
  std::uint64_t seed = 1;
  SamplingSettings sampling = {};
  double most_epoch_seconds = 1;
};

/// The other device beside the first.
struct Comparison {
  Measurement time;
  double speedup = 0;  ///< how many times as long the other takes
  /// The largest difference between two results, as a fraction of the other device's largest.
  double worst_error = 0;
};

/// An operation at a shape.
struct OperationLine {
  OperationCost cost = {};
  std::string set = {};
  std::string shape = {};
  Measurement time = {};
  double roof_share = 0;  ///< of what the roofline allows
  std::optional<Comparison> against = {};

  [[nodiscard]] double flops_per_second() const { return static_cast<double>(cost.flops) / time.median; }
  [[nodiscard]] double bytes_per_second() const { return static_cast<double>(cost.bytes) / time.median; }
};

/// One direction of a block of layers: its operations one by one, and as one.
struct BlockLine {
  std::string set;
  std::string block;
  bool forward = true;
  double layered_seconds = 0;
  double fused_seconds = 0;

  [[nodiscard]] double speedup() const { return layered_seconds / fused_seconds; }
};

/// How fast a device is.
struct BenchReport {
  DeviceRequest device = {};
  std::optional<DeviceRequest> against = {};
  std::optional<Peaks> peaks = {};  ///< where operations were measured
  std::vector<OperationLine> operations = {};
  std::vector<BlockLine> blocks = {};
  std::vector<EpochLine> epochs = {};
};

/// The operations, and "epoch".
std::vector<std::string> bench_names();

/// The sets of shapes that a device is measured with unless it is told otherwise: the smallest network on the emulated
/// device, which is slow.
std::vector<std::string> default_sets(const DeviceRequest& device);

/// Hears what is being measured.
using BenchObserver = std::function<void(const std::string& what)>;

/// Throws UsageError for an unknown name, and where the device has no operations to measure (the reference, which may
/// only be what another is measured against).
BenchReport run_bench(const BenchSettings& settings, const BenchObserver& observer = {});

/// {"device", "against", "peaks": {...}, "operations": [...], "blocks": [...], "epochs": [...]}; see docs/cli.md.
nlohmann::ordered_json to_json(const BenchReport& report);

}  // namespace touchstone::bench
