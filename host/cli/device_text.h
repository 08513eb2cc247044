// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "touchstone/device.h"
#include "touchstone/network.h"

namespace touchstone::cli {

/// "cpu (AMD EPYC 7B13, 2 cores, AVX2)", with the number of threads where one is asked for.
std::string device_text(const DeviceRequest& resolved);

/// How the device runs a network, and why: "fused: 2 blocks of convolution, max-pool and sigmoid".
std::string path_text(const DeviceRequest& resolved, const Network& network);

}  // namespace touchstone::cli
