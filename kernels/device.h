// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "kernels/backend.h"
#include "kernels/devices.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// "cuda:1", or "emulated".
[[nodiscard]] std::string device_name(int index);

/// Makes a device current on this thread. Throws Error in one line that says why it cannot be used and what to do.
void open_device(int index);

/// Makes a device current on this thread that open_device() has opened before, perhaps on another thread.
void use_device(int index);

}  // namespace touchstone::TOUCHSTONE_BACKEND
