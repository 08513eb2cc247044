// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "touchstone/operation_timer.h"

namespace touchstone::bench {

/// What several samples of a time say.
struct Measurement {
  double median = 0;  ///< seconds
  double spread = 0;  ///< half of what lies between the quartiles, as a fraction of the median
  int samples = 0;
};

/// The median of `samples`, which may not be empty, and their spread.
Measurement measurement_of(std::vector<double> samples);

/// How long is measured.
struct SamplingSettings {
  int samples = 11;
  double sample_seconds = 2e-3;   ///< an operation that takes less is repeated until a sample takes so long
  double warm_up_seconds = 2e-3;  ///< before the first sample
  double most_seconds = 1;        ///< no sample begins after that
};

/// Measures operations: warms up, then takes samples of as many runs as one run's time demands.
class Sampler final : public OperationTimer {
 public:
  explicit Sampler(const SamplingSettings& settings = {}) : settings_(settings) {}

  /// What a device computes in several parts is timed part by part: their times add up, sample by sample.
  void time(const Repeat& repeat) override;

  /// The seconds of one run since the last call. Throws Error where nothing was timed.
  Measurement take();

 private:
  SamplingSettings settings_;
  std::vector<double> samples_;  // seconds a run
};

}  // namespace touchstone::bench
