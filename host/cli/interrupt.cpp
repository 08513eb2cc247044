// SPDX-License-Identifier: Apache-2.0
#include "host/cli/interrupt.h"

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <system_error>

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "touchstone/error.h"

namespace touchstone::cli {
namespace {

// What the watcher's thread reads from the event's counter, which adds up what is written to it.
constexpr std::uint64_t interrupted = 1;
constexpr std::uint64_t finished = std::uint64_t{1} << 32U;

/// The event that the handler writes to. Global because a handler is told nothing but the signal's number.
constinit std::atomic<int> event = -1;
static_assert(std::atomic<int>::is_always_lock_free, "read within a signal handler");

void tell(std::uint64_t what) noexcept {
  const int before = errno;
  [[maybe_unused]] const ssize_t written = ::write(event, &what, sizeof what);
  errno = before;
}

/// Only calls what is allowed within a handler: stopping, which takes locks and runs callbacks, is for the thread.
extern "C" void on_interrupt(int /*signal*/) {
  struct sigaction by_default {};
  by_default.sa_handler = SIG_DFL;
  ::sigaction(SIGINT, &by_default, nullptr);
  ::sigaction(SIGTERM, &by_default, nullptr);
  tell(interrupted);
}

}  // namespace

InterruptWatcher::InterruptWatcher() {
  event = ::eventfd(0, EFD_CLOEXEC);
  if (event < 0) throw Error(fmt::format("cannot watch for signals: {}", std::generic_category().message(errno)));
  thread_ = std::thread([this] { watch(); });
  struct sigaction action {};
  action.sa_handler = &on_interrupt;
  action.sa_flags = SA_RESTART;  // writes and reads go on where they were
  ::sigaction(SIGINT, &action, &previous_interrupt_);
  ::sigaction(SIGTERM, &action, &previous_termination_);
}

InterruptWatcher::~InterruptWatcher() {
  ::sigaction(SIGINT, &previous_interrupt_, nullptr);
  ::sigaction(SIGTERM, &previous_termination_, nullptr);
  tell(finished);
  thread_.join();
  ::close(event.exchange(-1));
}

void InterruptWatcher::watch() {
  std::uint64_t told = 0;
  while (told < finished) {
    std::uint64_t news = 0;
    if (::read(event, &news, sizeof news) != sizeof news) continue;
    told += news;
    interrupted_.request_stop();  // at the end nobody listens any more
  }
}

}  // namespace touchstone::cli
