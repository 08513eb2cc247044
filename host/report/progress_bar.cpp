// SPDX-License-Identifier: Apache-2.0
#include "host/report/progress_bar.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include <fmt/format.h>

#include "host/report/units.h"

namespace touchstone::report {
namespace {

constexpr int widest_bar = 30;
constexpr int narrowest_bar = 8;

std::vector<std::string> figures_after_bar(const TrainingProgress& progress, const ProgressFigures& figures) {
  std::vector<std::string> parts;
  if (progress.samples > 0) {
    const char* const name = progress.running_accuracy ? "loss" : "error";  // of an autoencoder's reconstructions
    parts.push_back(fmt::format("{} {:.4f}", name, progress.running_loss));
  }
  if (figures.images_per_second > 0) {
    parts.push_back(group_digits(static_cast<std::int64_t>(figures.images_per_second)) + " images/s");
  }
  if (figures.seconds_left >= 0) parts.push_back(format_clock(figures.seconds_left) + " left");
  return parts;
}

}  // namespace

std::string progress_line(const TrainingProgress& progress, const ProgressFigures& figures,
                          const TerminalTraits& traits) {
  const double fraction = progress.samples_per_epoch > 0
                              ? static_cast<double>(progress.samples) / static_cast<double>(progress.samples_per_epoch)
                              : 0.0;
  const std::string epochs = std::to_string(progress.epochs);
  const std::string start = fmt::format("epoch {:>{}}/{}", progress.epoch, epochs.size(), epochs);
  const std::string percentage = fmt::format("{:3.0f} %", 100 * fraction);
  // The last column stays free: a terminal that wraps there would leave lines behind.
  const int room = traits.width - 1;
  const int fixed = static_cast<int>(start.size() + percentage.size()) + 2;

  std::vector<std::string> parts = figures_after_bar(progress, figures);
  const auto width_of_parts = [&parts] {
    int width = 0;
    for (const std::string& part : parts) width += static_cast<int>(part.size()) + 2;
    return width;
  };
  constexpr int bar_frame = 3;  // a blank and two brackets
  while (!parts.empty() && fixed + bar_frame + narrowest_bar + width_of_parts() > room) parts.pop_back();

  const int bar_width = std::min(widest_bar, room - fixed - bar_frame - width_of_parts());
  std::string line = start;
  if (bar_width >= narrowest_bar) {
    line += " [" + Style(traits.colour).green(bar(fraction, bar_width, traits.unicode)) + "]";
  }
  line += " " + percentage;
  for (const std::string& part : parts) line += "  " + part;
  // Columns and bytes are the same where the line is too long: no bar was drawn.
  if (display_width(line) > static_cast<std::size_t>(std::max(0, room))) {
    line.resize(static_cast<std::size_t>(std::max(0, room)));
  }
  return line;
}

}  // namespace touchstone::report
