// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "touchstone/executor.h"

namespace touchstone {

/// Where a network runs, as --device says it.
struct DeviceRequest {
  std::string name = "auto";  ///< auto, cpu, reference
  int threads = 0;            ///< cpu: 0 stands for the cores that this process may use
};

/// One line of `touchstone info devices`.
struct DeviceInfo {
  std::string name;
  std::string description;  ///< the processor's name, its threads and instruction set, or why it is not available
  bool available = true;
};

/// All devices this build knows.
std::vector<DeviceInfo> list_devices();

/// The names that --device takes.
std::vector<std::string> device_names();

/// The number of cores this process may use: its affinity mask and its cgroup's CPU quota, at least 1.
int usable_cores();

/// An executor on the requested device. Throws UsageError for an unknown name, Error where the device is not there.
std::unique_ptr<Executor> make_executor(const DeviceRequest& request, const ExecutorSettings& settings);

}  // namespace touchstone
