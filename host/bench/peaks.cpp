// SPDX-License-Identifier: Apache-2.0
#include "host/bench/peaks.h"

#include <algorithm>
#include <cstddef>

namespace touchstone::bench {
namespace {

constexpr std::int64_t smallest_copy = std::int64_t{16} << 10U;
constexpr std::int64_t copy_growth = 2;
constexpr std::int64_t element_bytes = 2 * sizeof(float);  // read and written
constexpr std::int64_t multiply_add_rounds = 1024;

}  // namespace

double Peaks::bytes_per_second(std::int64_t bytes) const {
  double best = copies.back().bytes_per_second;
  for (const CopyPeak& copy : copies) {
    if (2 * copy.bytes >= bytes) best = std::max(best, copy.bytes_per_second);
  }
  return best;
}

double Peaks::least_seconds(const OperationCost& cost) const {
  return std::max(
      static_cast<double>(cost.flops) / (cost.double_precision ? double_flops_per_second : flops_per_second),
      static_cast<double>(cost.bytes) / bytes_per_second(cost.bytes));
}

Peaks measure_peaks(DeviceOperations& device, const SamplingSettings& sampling, std::int64_t largest_copy) {
  Sampler sampler(sampling);
  device.set_timer(&sampler);
  const auto flops = 2 * static_cast<double>(device.multiply_add(multiply_add_rounds));
  Peaks peaks{.flops_per_second = flops / sampler.take().median};
  const auto double_flops = 2 * static_cast<double>(device.multiply_add_double(multiply_add_rounds));
  peaks.double_flops_per_second = double_flops / sampler.take().median;
  std::vector<float> source(static_cast<std::size_t>(largest_copy / element_bytes), 1.0F);
  std::vector<float> target(source.size());
  for (std::int64_t bytes = smallest_copy; bytes <= largest_copy; bytes *= copy_growth) {
    device.copy(bytes / element_bytes, source.data(), target.data());
    peaks.copies.push_back({bytes, static_cast<double>(bytes) / sampler.take().median});
  }
  device.copy(1, source.data(), target.data());
  peaks.call_seconds = sampler.take().median;
  device.set_timer(nullptr);
  return peaks;
}

}  // namespace touchstone::bench
