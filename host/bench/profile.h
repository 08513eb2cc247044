// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "host/bench/training_session.h"
#include "touchstone/network.h"
#include "touchstone/operation_recorder.h"

namespace touchstone::bench {

/// All calls of an operation on behalf of one layer.
struct ProfileLine {
  std::string operation;
  std::string layer;  ///< empty for what belongs to no layer
  std::int64_t calls = 0;
  double seconds = 0;
  std::int64_t flops = 0;
  std::int64_t bytes = 0;

  [[nodiscard]] double flops_per_second() const { return static_cast<double>(flops) / seconds; }
  [[nodiscard]] double bytes_per_second() const { return static_cast<double>(bytes) / seconds; }
};

/// Where the time of some training steps goes.
struct ProfileReport {
  std::string device = {};
  std::string network = {};
  std::int64_t batch_size = 0;
  std::int64_t steps = 0;
  double seconds = 0;                   ///< of all steps, by the clock
  int lanes = 1;                        ///< threads (or streams) that worked at a time
  std::vector<ProfileLine> lines = {};  ///< those that took the longest first
  std::vector<RecordedOperation> operations = {};

  /// The sum over all lines.
  [[nodiscard]] ProfileLine total() const;
  /// The part of the lanes' time in which an operation ran.
  [[nodiscard]] double busy() const;
};

/// Sums up what was recorded.
std::vector<ProfileLine> summarise(const std::vector<RecordedOperation>& operations);

/// Trains a few steps, so that all is loaded and warm, then `steps` more with each operation timed.
ProfileReport profile(const Network& network, const SessionSettings& settings, std::int64_t steps);

/// {"device", "network", "batch_size", "steps", "seconds", "lanes", "busy", "operations": [{"operation", "layer",
/// "calls", "seconds", "share", "flops", "bytes", "flops_per_second", "bytes_per_second"}]}.
nlohmann::ordered_json to_json(const ProfileReport& report);

/// The operations in Chrome's trace format, which Perfetto (ui.perfetto.dev) and chrome://tracing show: a slice each,
/// a track a lane, microseconds.
nlohmann::ordered_json chrome_trace(const ProfileReport& report);

}  // namespace touchstone::bench
