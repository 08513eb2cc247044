// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace touchstone {

/// How the learning rate moves over a run.
enum class ScheduleKind : std::uint8_t { constant, step, cosine, one_cycle };

/// The kinds' names, in their order.
inline constexpr std::array<std::string_view, 4> schedule_names = {"constant", "step", "cosine", "one-cycle"};

/// "constant", "step", "cosine" or "one-cycle".
constexpr std::string_view to_string(ScheduleKind kind) { return schedule_names[static_cast<std::size_t>(kind)]; }

/// A schedule and its settings.
struct ScheduleSettings {
  ScheduleKind kind = ScheduleKind::constant;
  std::int64_t warmup = 0;  ///< steps over which the rate first rises linearly: at step s (from 0) times (s+1)/warmup
  std::int64_t decay_every = 0;  ///< step: epochs between two decays; 0 stands for a third of the run, rounded up
  double decay_factor = 0.1;     ///< step: what each decay multiplies the rate by

  bool operator==(const ScheduleSettings&) const = default;
};

/// The learning rate of step `step` (from 0) of a run of `epochs` epochs of `steps_per_epoch` steps:
///   constant   learning_rate
///   step       learning_rate * decay_factor ^ floor(epoch / decay_every)
///   cosine     learning_rate * (1 + cos(pi * t)) / 2, t from 0 at the first step after the warm-up towards 1 at the
///   end one-cycle  Smith and Topin, 2018, as in PyTorch: cosine from learning_rate / 25 up to learning_rate over the
///   first
///              30 % of the steps, then down to learning_rate / 250000
/// With a warm-up the result is multiplied by (step + 1) / warmup while step < warmup.
double learning_rate_at(const ScheduleSettings& settings, double learning_rate, std::int64_t step,
                        std::int64_t steps_per_epoch, std::int64_t epochs);

}  // namespace touchstone
