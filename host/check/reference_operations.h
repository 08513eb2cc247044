// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "touchstone/device_operations.h"

namespace touchstone::check {

/// The reference as a device: each operation in double precision, its results rounded to float32 once. The best that a
/// float32 device can be, and what the check itself is tested with.
std::unique_ptr<DeviceOperations> make_reference_operations();

}  // namespace touchstone::check
