// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace touchstone::emulation {

/// From now on a memory fault of a thread of a kernel ends that kernel with a report; any other goes where it went
/// before. Installs a handler for SIGSEGV and SIGBUS, once.
void catch_memory_faults();

}  // namespace touchstone::emulation
