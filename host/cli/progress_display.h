// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "host/cli/console.h"
#include "host/report/training_report.h"
#include "touchstone/training.h"

namespace touchstone::cli {

/// Shows how a run goes: a line an epoch among the results, and, where standard error is a terminal, a bar there that
/// is redrawn at most ten times a second and gone when the display ends.
class ProgressDisplay : public TrainingObserver {
 public:
  ProgressDisplay(const Console& console, const report::EpochTable& table);
  ProgressDisplay(const ProgressDisplay&) = delete;
  ProgressDisplay& operator=(const ProgressDisplay&) = delete;
  ~ProgressDisplay() override;

  void on_progress(const TrainingProgress& progress) override;
  void on_epoch(const EpochReport& report) override;

  /// Takes the bar away.
  void clear();

 private:
  using Clock = std::chrono::steady_clock;

  /// A moment of the run, to measure speed from.
  struct Mark {
    Clock::time_point time;
    std::int64_t epoch = 0;
    std::int64_t samples = 0;  ///< of the epoch
    double run_fraction = 0;   ///< of the whole run
  };

  void draw(const TrainingProgress& progress, Clock::time_point now);

  const Console& console_;
  const report::EpochTable& table_;
  bool has_bar_;
  bool bar_visible_ = false;
  Clock::time_point last_drawn_;
  std::optional<Mark> run_start_;
  std::optional<Mark> epoch_start_;
};

}  // namespace touchstone::cli
