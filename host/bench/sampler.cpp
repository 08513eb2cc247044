// SPDX-License-Identifier: Apache-2.0
#include "host/bench/sampler.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "touchstone/error.h"

namespace touchstone::bench {
namespace {

/// The value that a fraction of the sorted values lies below, between its neighbours.
double quantile(const std::vector<double>& sorted, double fraction) {
  const double place = fraction * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

/// As many runs as a sample needs.
std::int64_t runs_for(double sample_seconds, double run_seconds) {
  constexpr double most_runs = 1e6;
  return std::llround(std::clamp(std::ceil(sample_seconds / std::max(run_seconds, 1e-12)), 1.0, most_runs));
}

}  // namespace

Measurement measurement_of(std::vector<double> samples) {
  if (samples.empty()) throw Error("the device has timed nothing");
  std::sort(samples.begin(), samples.end());
  Measurement measurement{.median = quantile(samples, 0.5), .samples = static_cast<int>(samples.size())};
  if (measurement.median > 0) {
    measurement.spread = (quantile(samples, 0.75) - quantile(samples, 0.25)) / 2 / measurement.median;
  }
  return measurement;
}

void Sampler::time(const Repeat& repeat) {
  double run_seconds = repeat(1);
  double spent = run_seconds;
  while (spent < settings_.warm_up_seconds) {
    run_seconds = repeat(1);
    spent += std::max(run_seconds, 1e-7);  // a clock may stand still that long
  }
  const std::int64_t runs = runs_for(settings_.sample_seconds, run_seconds);
  std::vector<double> samples;
  if (spent >= settings_.most_seconds) samples.push_back(run_seconds);  // there is no time for another
  while (static_cast<int>(samples.size()) < settings_.samples && spent < settings_.most_seconds) {
    const double seconds = repeat(runs);
    spent += seconds;
    samples.push_back(seconds / static_cast<double>(runs));
  }
  if (samples_.empty()) samples_.resize(samples.size());
  samples_.resize(std::min(samples_.size(), samples.size()));
  for (std::size_t i = 0; i < samples_.size(); ++i) samples_[i] += samples[i];
}

Measurement Sampler::take() { return measurement_of(std::exchange(samples_, {})); }

}  // namespace touchstone::bench
