// SPDX-License-Identifier: Apache-2.0
#include "host/cli/device_text.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

namespace touchstone::cli {

DeviceRequest resolve_device(const DeviceRequest& request) {
  if (request.name != "auto") return request;
  const std::vector<DeviceInfo> devices = list_devices();
  const auto first =
      std::find_if(devices.begin(), devices.end(), [](const DeviceInfo& device) { return device.available; });
  if (first == devices.end()) return request;
  return {.name = first->name, .threads = request.threads};
}

std::string device_text(const DeviceRequest& resolved) {
  std::string text = resolved.name;
  for (const DeviceInfo& device : list_devices()) {
    if (device.name == resolved.name) text += fmt::format(" ({})", device.description);
  }
  if (resolved.threads > 0) text += fmt::format(", {} thread{}", resolved.threads, resolved.threads == 1 ? "" : "s");
  return text;
}

}  // namespace touchstone::cli
