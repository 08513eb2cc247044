// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "touchstone/device.h"

namespace touchstone::cli {

/// "cpu (AMD EPYC 7B13, 2 cores, AVX2)", with the number of threads where one is asked for.
std::string device_text(const DeviceRequest& resolved);

}  // namespace touchstone::cli
