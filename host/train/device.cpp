// SPDX-License-Identifier: Apache-2.0
#include "touchstone/device.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <optional>
#include <string_view>
#include <system_error>

#include <fmt/format.h>

#include "host/cpu/cpu_operations.h"
#include "host/cpu/gaussian_operations.h"
#include "host/cpu/instruction_set.h"
#include "host/model/spelling.h"
#include "kernels/devices.h"
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

/// N of "cuda:N" with "cuda" as the kind, 0 of "cuda"; nothing for any other name.
std::optional<int> device_index(std::string_view name, std::string_view kind) {
  if (!name.starts_with(kind)) return std::nullopt;
  if (name == kind) return 0;
  if (name[kind.size()] != ':') return std::nullopt;
  const std::string_view digits = name.substr(kind.size() + 1);
  int index = 0;
  const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
  if (problem != std::errc{} || end != digits.data() + digits.size() || index < 0) return std::nullopt;
  return index;
}

constexpr std::string_view cuda_kind = "cuda";
constexpr std::string_view emulated_kind = "emulated";

CudaOptions cuda_options(const DeviceRequest& request) {
  const auto emulated = device_index(request.name, emulated_kind);
  return {.index = emulated ? *emulated : device_index(request.name, cuda_kind).value_or(0),
          .graph = request.graph,
          .tf32 = request.tf32,
          .tensor_cores = request.tensor_cores,
          .path = request.path,
          .persistent = request.persistent};
}

/// Checks run with an allocation a tensor, between guard bands.
CudaOptions guarded_options(const DeviceRequest& request) {
  CudaOptions options = cuda_options(request);
  options.memory = MemoryStrategy::guarded;
  return options;
}

}  // namespace

std::vector<DeviceInfo> list_devices() {
  const int cores = usable_cores();
  std::vector<DeviceInfo> devices;
  for (const CudaDevice& gpu : cuda::devices()) {
    const bool usable = gpu.problem.empty();
    devices.push_back({fmt::format("cuda:{}", gpu.index), usable ? gpu.name : gpu.problem, usable});
  }
  devices.push_back({"cpu", fmt::format("{}, {} {}, {}", processor_name(), cores, cores == 1 ? "core" : "cores",
                                        cpu::instruction_set())});
  devices.push_back({"emulated", "the CUDA kernels on the processor: slow, for checking them where there is no GPU"});
  devices.push_back(
      {"emulated:1", "the same as of compute capability 9.0: tensor cores, 227 KB of shared memory a block"});
  devices.push_back(
      {"reference", "double precision, layer by layer, written to be read: what the others are checked with"});
  return devices;
}

std::vector<std::string> device_names() { return {"auto", "cpu", "cuda", "emulated", "reference"}; }

bool is_emulated(std::string_view name) { return device_index(name, emulated_kind).has_value(); }

void validate_device_name(const std::string& name) {
  const std::vector<std::string> names = device_names();
  if (std::find(names.begin(), names.end(), name) != names.end() || device_index(name, cuda_kind) || is_emulated(name))
    return;
  throw UsageError(fmt::format("unknown device `{}`{} (known: {}, cuda:N, emulated:N)", name, did_you_mean(name, names),
                               fmt::join(names, ", ")));
}

DeviceRequest resolve_device(const DeviceRequest& request) {
  validate_device_name(request.name);
  if (request.name != "auto") return request;
  DeviceRequest resolved = request;
  resolved.name = "cpu";
  for (const CudaDevice& gpu : cuda::devices()) {
    if (!gpu.problem.empty()) continue;
    resolved.name = fmt::format("cuda:{}", gpu.index);
    break;
  }
  return resolved;
}

std::unique_ptr<DeviceOperations> make_device_operations(const DeviceRequest& request) {
  const DeviceRequest resolved = resolve_device(request);
  if (resolved.name == "cpu") return make_cpu_operations(thread_count(resolved));
  if (is_emulated(resolved.name)) return emulated::make_device_operations(guarded_options(resolved));
  if (resolved.name == "reference") throw UsageError("the reference has no operations of its own in float32");
  return cuda::make_device_operations(guarded_options(resolved));
}

ExecutionPath execution_path(const DeviceRequest& request, const ExecutionPlan& plan) {
  const DeviceRequest resolved = resolve_device(request);
  if (resolved.name == "cpu") return cpu_execution_path(plan, resolved.path);
  if (is_emulated(resolved.name)) return emulated::execution_path(plan, cuda_options(resolved));
  if (resolved.name != "reference") return cuda::execution_path(plan, cuda_options(resolved));
  if (resolved.path == PathRequest::fused) {
    throw UsageError("the reference runs one operation at a time: use --path layered or auto");
  }
  return {.name = "layered", .detail = ""};
}

std::unique_ptr<GaussianOperations> make_gaussian_operations(const DeviceRequest& request) {
  const DeviceRequest resolved = resolve_device(request);
  if (resolved.name == "reference") return reference::make_gaussian_operations();
  if (resolved.name == "cpu") return cpu::make_gaussian_operations(thread_count(resolved));
  if (is_emulated(resolved.name)) return emulated::make_gaussian_operations(cuda_options(resolved));
  return cuda::make_gaussian_operations(cuda_options(resolved));
}

std::unique_ptr<Executor> make_executor(const DeviceRequest& request, const ExecutorSettings& settings) {
  if (request.threads < 0) throw UsageError(fmt::format("threads is {}; expected at least 1", request.threads));
  const DeviceRequest resolved = resolve_device(request);
  if (resolved.name == "cpu") return make_cpu_executor(settings, thread_count(resolved), resolved.path);
  if (is_emulated(resolved.name)) return emulated::make_executor(settings, cuda_options(resolved));
  if (resolved.name == "reference") {
    static_cast<void>(execution_path(resolved, settings.plan));
    return make_reference_executor(settings);
  }
  return cuda::make_executor(settings, cuda_options(resolved));
}

}  // namespace touchstone
