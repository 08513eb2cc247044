// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <vector>

#include "host/bench/sampler.h"
#include "touchstone/device_operations.h"
#include "touchstone/operation_cost.h"

namespace touchstone::bench {

/// How fast copies of some size are.
struct CopyPeak {
  std::int64_t bytes = 0;  ///< read and written
  double bytes_per_second = 0;
};

/// What a device can do at best: measured, with what its operations have at hand (one thread of a CPU, all of a GPU).
struct Peaks {
  double flops_per_second = 0;
  double double_flops_per_second = 0;  ///< in double precision
  std::vector<CopyPeak> copies = {};   ///< small ones first: they stay in a cache
  double call_seconds = 0;             ///< of the smallest operation: what a launch costs

  /// The best of the copies that are at least half as large as `bytes` (else of the largest). A smaller one may stay in
  /// a cache that the tensors do not fit in; half, for what is updated in place is read and written. On a GPU a small
  /// copy is too short for the device to get going, hence the best of those that are larger.
  [[nodiscard]] double bytes_per_second(std::int64_t bytes) const;

  /// The roofline: the least time that an operation's arithmetic and its bytes take.
  [[nodiscard]] double least_seconds(const OperationCost& cost) const;
};

/// Measures them. `largest_copy`: in bytes, read and written; larger than any cache. Throws UsageError where the device
/// has nothing to measure them with.
Peaks measure_peaks(DeviceOperations& device, const SamplingSettings& sampling, std::int64_t largest_copy);

}  // namespace touchstone::bench
