// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stop_token>
#include <thread>

#include <signal.h>  // sigaction is POSIX, not C++

namespace touchstone::cli {

/// Turns SIGINT and SIGTERM into a request to stop, as long as it lives; a second one ends the program at once. There
/// is one at a time.
///
/// Handlers are used rather than blocked signals and sigwait: libraries start threads before main (OpenBLAS does), and
/// in those the signals would not be blocked.
class InterruptWatcher {
 public:
  InterruptWatcher();
  InterruptWatcher(const InterruptWatcher&) = delete;
  InterruptWatcher& operator=(const InterruptWatcher&) = delete;
  ~InterruptWatcher();

  /// Stop is requested once a signal has come.
  [[nodiscard]] std::stop_token token() const { return interrupted_.get_token(); }

 private:
  void watch();

  std::stop_source interrupted_;
  struct sigaction previous_interrupt_ {};
  struct sigaction previous_termination_ {};
  std::thread thread_;
};

}  // namespace touchstone::cli
