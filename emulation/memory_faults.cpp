// SPDX-License-Identifier: Apache-2.0
#include "emulation/memory_faults.h"

#include <array>

#include <signal.h>  // NOLINT(modernize-deprecated-headers): sigaction is POSIX's

#include "emulation/block.h"

namespace touchstone::emulation {
namespace {

/// A signal and what handled it before.
struct Handled {
  int signal;
  struct sigaction previous;
};

std::array<Handled, 2>& handled_signals() {
  static std::array<Handled, 2> signals = {{{SIGSEGV, {}}, {SIGBUS, {}}}};
  return signals;
}

void pass_on(int signal, siginfo_t* information, void* context) {
  for (const Handled& handled : handled_signals()) {
    if (handled.signal != signal) {
      continue;
    }
    if ((handled.previous.sa_flags & SA_SIGINFO) != 0) {
      handled.previous.sa_sigaction(signal, information, context);
    } else if (handled.previous.sa_handler != SIG_DFL && handled.previous.sa_handler != SIG_IGN) {
      handled.previous.sa_handler(signal);
    } else {
      // The instruction runs again and meets what would have met it without us.
      sigaction(signal, &handled.previous, nullptr);
    }
  }
}

void on_memory_fault(int signal, siginfo_t* information, void* context) {
  if (BlockRunner* const runner = BlockRunner::current()) {
    runner->abandon_thread(information->si_addr);
  }
  pass_on(signal, information, context);
}

}  // namespace

void catch_memory_faults() {
  static const bool installed = [] {
    struct sigaction action = {};
    action.sa_sigaction = on_memory_fault;
    // The handler may be left for good, so the signal stays unblocked while it runs.
    action.sa_flags = SA_SIGINFO | SA_NODEFER;
    sigemptyset(&action.sa_mask);
    for (Handled& handled : handled_signals()) {
      sigaction(handled.signal, &action, &handled.previous);
    }
    return true;
  }();
  static_cast<void>(installed);
}

}  // namespace touchstone::emulation
