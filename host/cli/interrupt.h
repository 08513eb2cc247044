// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <csignal>
#include <stop_token>
#include <thread>

namespace touchstone::cli {

/// Turns SIGINT and SIGTERM into a request to stop, as long as it lives; a second one ends the program at once. To be
/// made before any other thread is started: threads inherit that these signals are blocked, and only the watcher's own
/// thread takes them.
class InterruptWatcher {
 public:
  InterruptWatcher();
  InterruptWatcher(const InterruptWatcher&) = delete;
  InterruptWatcher& operator=(const InterruptWatcher&) = delete;
  ~InterruptWatcher();

  /// Stop is requested once a signal has come.
  [[nodiscard]] std::stop_token token() const { return interrupted_.get_token(); }

 private:
  void watch(const std::stop_token& finished);

  std::stop_source interrupted_;
  sigset_t previous_mask_{};
  std::jthread thread_;
};

}  // namespace touchstone::cli
