// SPDX-License-Identifier: Apache-2.0
#include "host/cli/progress_display.h"

#include <algorithm>
#include <string>

#include <unistd.h>

#include "host/report/progress_bar.h"

namespace touchstone::cli {
namespace {

constexpr std::chrono::milliseconds redraw_interval(100);
constexpr std::string_view clear_line = "\r\x1b[K";

double seconds_between(std::chrono::steady_clock::time_point from, std::chrono::steady_clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

double fraction_of_run(const TrainingProgress& progress) {
  const double in_epoch = static_cast<double>(progress.samples) /
                          static_cast<double>(std::max<std::int64_t>(1, progress.samples_per_epoch));
  return (static_cast<double>(progress.epoch - 1) + in_epoch) /
         static_cast<double>(std::max<std::int64_t>(1, progress.epochs));
}

}  // namespace

ProgressDisplay::ProgressDisplay(const Console& console, const report::EpochTable& table)
    : console_(console), table_(table), has_bar_(!console.quiet() && report::terminal_traits(STDERR_FILENO).cursor) {}

ProgressDisplay::~ProgressDisplay() { clear(); }

void ProgressDisplay::on_progress(const TrainingProgress& progress) {
  if (!has_bar_) return;
  const Clock::time_point now = Clock::now();
  const Mark mark{now, progress.epoch, progress.samples, fraction_of_run(progress)};
  if (!run_start_) run_start_ = mark;
  if (!epoch_start_ || epoch_start_->epoch != progress.epoch) epoch_start_ = mark;
  if (!bar_visible_ || now - last_drawn_ >= redraw_interval) draw(progress, now);
}

void ProgressDisplay::on_epoch(const EpochReport& report) {
  clear();
  console_.print(table_.line(report));
}

void ProgressDisplay::clear() {
  if (bar_visible_) write_message(clear_line);
  bar_visible_ = false;
}

void ProgressDisplay::draw(const TrainingProgress& progress, Clock::time_point now) {
  report::ProgressFigures figures;
  const double in_epoch = seconds_between(epoch_start_->time, now);
  const auto images = static_cast<double>(progress.samples - epoch_start_->samples);
  if (in_epoch > 0) figures.images_per_second = images / in_epoch;
  const double run_fraction = fraction_of_run(progress);
  const double done = run_fraction - run_start_->run_fraction;
  // Evaluations are in it: the time left is what the whole run so far suggests.
  if (done > 0) figures.seconds_left = seconds_between(run_start_->time, now) / done * (1 - run_fraction);

  const report::TerminalTraits traits = report::terminal_traits(STDERR_FILENO);  // the window may have changed
  write_message(std::string(clear_line) + report::progress_line(progress, figures, traits));
  bar_visible_ = true;
  last_drawn_ = now;
}

}  // namespace touchstone::cli
