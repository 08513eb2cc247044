// SPDX-License-Identifier: Apache-2.0
#include "host/check/devices.h"

#include "host/check/reference_operations.h"

namespace touchstone::check {

std::unique_ptr<DeviceOperations> make_operations(const DeviceRequest& device) {
  return device.name == "reference" ? make_reference_operations() : make_device_operations(device);
}

}  // namespace touchstone::check
