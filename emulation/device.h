// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <string>

#include "emulation/options.h"
#include "emulation/report.h"
#include "emulation/runtime_api.h"

/// The emulated device as a program sees it that knows of the emulation. There is one in the process, as there would
/// be one GPU; all its functions may be called from any thread.
namespace touchstone::emulation {

/// How the device behaves from now on. Finishes all queued work first.
void configure(const Options& options);

/// How the device behaves.
Options options();

/// As cudaDeviceReset: frees everything, clears a sticky error and the report. Options stay.
void reset();

/// Queues work that a library does on a stream, such as a call of Thrust on device memory. It runs on a host thread,
/// in the stream's order, and is captured where the stream is. Throws nothing; the result is as of a kernel launch.
runtime::cudaError_t enqueue(runtime::cudaStream_t stream, std::string name, std::function<void()> work);

/// The number of profiling ranges that are open.
int open_ranges();

}  // namespace touchstone::emulation
