// SPDX-License-Identifier: Apache-2.0
#include "host/cli/device_text.h"

#include <fmt/format.h>

#include "touchstone/plan.h"

namespace touchstone::cli {

std::string device_text(const DeviceRequest& resolved) {
  std::string text = resolved.name;
  for (const DeviceInfo& device : list_devices()) {
    if (device.name == resolved.name) text += fmt::format(" ({})", device.description);
  }
  if (resolved.threads > 0) text += fmt::format(", {} thread{}", resolved.threads, resolved.threads == 1 ? "" : "s");
  return text;
}

std::string path_text(const DeviceRequest& resolved, const Network& network) {
  return describe(execution_path(resolved, make_plan(network)));
}

}  // namespace touchstone::cli
