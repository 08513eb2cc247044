// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "emulation/runtime_api.h"

namespace touchstone::emulation {

/// What the emulated device saw when it last reported a defect: kernel, block, thread, place, and what was wrong.
/// Empty where there was none since the device was reset.
std::string last_report();

/// ": " and last_report() where `error` is what that report returned, else nothing: the end of an error message.
std::string report_suffix(runtime::cudaError_t error);

}  // namespace touchstone::emulation
