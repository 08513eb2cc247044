// SPDX-License-Identifier: Apache-2.0
#include "host/cli/status_line.h"

#include <unistd.h>

#include "host/report/terminal.h"

namespace touchstone::cli {
namespace {

constexpr std::chrono::milliseconds redraw_interval{100};

}  // namespace

StatusLine::StatusLine(const Console& console)
    : visible_(!console.quiet() && report::terminal_traits(STDERR_FILENO).cursor) {}

void StatusLine::show(const std::string& line) const {
  if (visible_) write_message("\r\x1b[K" + line);
}

void StatusLine::show_now_and_then(const std::string& line) {
  const auto now = std::chrono::steady_clock::now();
  if (now - last_shown_ < redraw_interval) return;
  last_shown_ = now;
  show(line);
}

}  // namespace touchstone::cli
