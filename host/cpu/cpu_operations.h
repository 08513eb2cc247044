// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "touchstone/device_operations.h"

namespace touchstone {

/// The operations of the cpu device, singly: on one thread, those on Gaussians on `gaussian_threads`. The caller
/// poisons the outputs and looks for what was written outside.
std::unique_ptr<DeviceOperations> make_cpu_operations(int gaussian_threads);

}  // namespace touchstone
