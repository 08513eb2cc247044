// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "touchstone/device.h"
#include "touchstone/device_operations.h"

namespace touchstone::check {

/// The single operations of a device ("cpu", "reference", "emulated", "cuda", "cuda:1"). Throws UsageError for an
/// unknown name, Error where the device is not there.
std::unique_ptr<DeviceOperations> make_operations(const DeviceRequest& device);

}  // namespace touchstone::check
