// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string>

#include "host/cli/console.h"

namespace touchstone::cli {

/// One line on standard error, where that is a terminal, that says what is being done; gone when the object ends.
class StatusLine {
 public:
  explicit StatusLine(const Console& console);
  StatusLine(const StatusLine&) = delete;
  StatusLine& operator=(const StatusLine&) = delete;
  ~StatusLine() { show(""); }

  void show(const std::string& line) const;
  /// As show(), ten times a second at most: for what changes often.
  void show_now_and_then(const std::string& line);

 private:
  bool visible_;
  std::chrono::steady_clock::time_point last_shown_;
};

}  // namespace touchstone::cli
