// SPDX-License-Identifier: Apache-2.0
#include "touchstone/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace touchstone {
namespace {

/// Half a cosine from `start` at t = 0 to `end` at t = 1.
double cosine_between(double start, double end, double t) {
  return end + (start - end) * (1.0 + std::cos(std::numbers::pi * t)) / 2.0;
}

/// PyTorch's OneCycleLR with its defaults: pct_start 0.3, div_factor 25, final_div_factor 10000, two cosine phases.
double one_cycle(double learning_rate, std::int64_t step, std::int64_t steps) {
  const double initial = learning_rate / 25.0;
  const double final_rate = initial / 10000.0;
  const double peak = std::max(0.3 * static_cast<double>(steps) - 1.0, 0.0);
  const double last = static_cast<double>(steps) - 1.0;
  const auto at = static_cast<double>(step);
  if (at < peak) return cosine_between(initial, learning_rate, at / peak);
  return cosine_between(learning_rate, final_rate, last > peak ? (at - peak) / (last - peak) : 0.0);
}

double cosine(double learning_rate, std::int64_t step, std::int64_t warmup, std::int64_t steps) {
  const std::int64_t length = steps - warmup;
  if (step < warmup || length <= 0) return learning_rate;
  return cosine_between(learning_rate, 0.0, static_cast<double>(step - warmup) / static_cast<double>(length));
}

double stepwise(const ScheduleSettings& settings, double learning_rate, std::int64_t epoch, std::int64_t epochs) {
  const std::int64_t every = settings.decay_every > 0 ? settings.decay_every : (epochs + 2) / 3;
  const std::int64_t decays = epoch / every;
  return learning_rate * std::pow(settings.decay_factor, static_cast<double>(decays));
}

double without_warmup(const ScheduleSettings& settings, double learning_rate, std::int64_t step,
                      std::int64_t steps_per_epoch, std::int64_t epochs) {
  const std::int64_t steps = steps_per_epoch * epochs;
  switch (settings.kind) {
    case ScheduleKind::step:
      return stepwise(settings, learning_rate, step / steps_per_epoch, epochs);
    case ScheduleKind::cosine:
      return cosine(learning_rate, step, settings.warmup, steps);
    case ScheduleKind::one_cycle:
      return one_cycle(learning_rate, step, steps);
    case ScheduleKind::constant:
      break;
  }
  return learning_rate;
}

}  // namespace

double learning_rate_at(const ScheduleSettings& settings, double learning_rate, std::int64_t step,
                        std::int64_t steps_per_epoch, std::int64_t epochs) {
  const double rate = without_warmup(settings, learning_rate, step, steps_per_epoch, epochs);
  if (step >= settings.warmup) return rate;
  return rate * static_cast<double>(step + 1) / static_cast<double>(settings.warmup);
}

}  // namespace touchstone
