// SPDX-License-Identifier: Apache-2.0
#include "host/check/devices.h"

#include <fmt/format.h>

#include "host/check/reference_operations.h"
#include "host/cpu/cpu_operations.h"
#include "touchstone/error.h"

#if defined(TOUCHSTONE_WITH_EMULATED) || defined(TOUCHSTONE_WITH_CUDA)
#include "kernels/devices.h"
#endif

#ifdef TOUCHSTONE_WITH_CUDA
#include <charconv>
#include <string>
#include <string_view>
#endif

namespace touchstone::check {

#ifdef TOUCHSTONE_WITH_CUDA
namespace {

/// N of "cuda:N"; 0 for "cuda".
int gpu_index(const std::string& name) {
  if (name == "cuda") return 0;
  const std::string_view digits = std::string_view(name).substr(std::string_view("cuda:").size());
  int index = 0;
  const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
  if (problem != std::errc{} || end != digits.data() + digits.size() || index < 0) {
    throw UsageError(fmt::format("device {}: expected cuda or cuda:N with N a whole number", name));
  }
  return index;
}

}  // namespace
#endif

std::unique_ptr<DeviceOperations> make_device_operations(const DeviceRequest& device) {
  if (device.name == "cpu") return make_cpu_operations();
  if (device.name == "reference") return make_reference_operations();
#ifdef TOUCHSTONE_WITH_EMULATED
  if (device.name == "emulated") return emulated::make_device_operations({.memory = MemoryStrategy::guarded});
#endif
#ifdef TOUCHSTONE_WITH_CUDA
  if (device.name == "cuda" || device.name.starts_with("cuda:")) {
    return cuda::make_device_operations({.index = gpu_index(device.name), .memory = MemoryStrategy::guarded});
  }
#endif
  throw UsageError(fmt::format("check: device {} is not in this build", device.name));
}

}  // namespace touchstone::check
