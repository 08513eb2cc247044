// SPDX-License-Identifier: Apache-2.0
#include "touchstone/device.h"

#include <algorithm>
#include <fstream>
#include <iterator>

#include <fmt/format.h>

#include "host/cpu/instruction_set.h"
#include "host/model/spelling.h"
#include "touchstone/error.h"

namespace touchstone {
namespace {

std::string processor_name() {
  std::ifstream stream("/proc/cpuinfo");
  std::string line;
  while (std::getline(stream, line)) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown processor";
}

int thread_count(const DeviceRequest& request) { return request.threads > 0 ? request.threads : usable_cores(); }

}  // namespace

std::vector<DeviceInfo> list_devices() {
  const int cores = usable_cores();
  return {{"cpu", fmt::format("{}, {} {}, {}", processor_name(), cores, cores == 1 ? "core" : "cores",
                              cpu::instruction_set())},
          {"reference", "the same processor: double precision, layer by layer, written to be read"}};
}

std::vector<std::string> device_names() { return {"auto", "cpu", "reference"}; }

std::unique_ptr<Executor> make_executor(const DeviceRequest& request, const ExecutorSettings& settings) {
  if (request.threads < 0) throw UsageError(fmt::format("threads is {}; expected at least 1", request.threads));
  if (request.name == "auto" || request.name == "cpu") return make_cpu_executor(settings, thread_count(request));
  if (request.name == "reference") return make_reference_executor(settings);
  throw UsageError(fmt::format("unknown device `{}`{} (known: {})", request.name,
                               did_you_mean(request.name, device_names()), fmt::join(device_names(), ", ")));
}

}  // namespace touchstone
