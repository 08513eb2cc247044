// SPDX-License-Identifier: Apache-2.0
#include "host/cli/interrupt.h"

#include <pthread.h>

namespace touchstone::cli {
namespace {

/// Wakes the watcher's thread when it is to end.
constexpr int wake_signal = SIGUSR1;

sigset_t signal_set(std::initializer_list<int> signals) {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : signals) sigaddset(&set, signal);
  return set;
}

}  // namespace

InterruptWatcher::InterruptWatcher() {
  const sigset_t blocked = signal_set({SIGINT, SIGTERM, wake_signal});
  pthread_sigmask(SIG_BLOCK, &blocked, &previous_mask_);
  thread_ = std::jthread([this](const std::stop_token& finished) { watch(finished); });
}

InterruptWatcher::~InterruptWatcher() {
  thread_.request_stop();
  pthread_kill(thread_.native_handle(), wake_signal);
  thread_.join();
  pthread_sigmask(SIG_SETMASK, &previous_mask_, nullptr);
}

void InterruptWatcher::watch(const std::stop_token& finished) {
  const sigset_t interrupts = signal_set({SIGINT, SIGTERM});
  sigset_t awaited = signal_set({SIGINT, SIGTERM, wake_signal});
  int signal = 0;
  while (!finished.stop_requested()) {
    if (sigwait(&awaited, &signal) != 0 || signal == wake_signal) continue;
    interrupted_.request_stop();
    // From here on this thread takes the default action, which ends the program.
    pthread_sigmask(SIG_UNBLOCK, &interrupts, nullptr);
    awaited = signal_set({wake_signal});
  }
}

}  // namespace touchstone::cli
