// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "touchstone/device.h"

namespace touchstone::cli {

/// The device that a request stands for: for "auto" the first available one of list_devices().
DeviceRequest resolve_device(const DeviceRequest& request);

/// "cpu (AMD EPYC 7B13, 2 cores, AVX2)", with the number of threads where one is asked for.
std::string device_text(const DeviceRequest& resolved);

}  // namespace touchstone::cli
