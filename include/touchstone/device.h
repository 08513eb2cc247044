// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "touchstone/device_operations.h"
#include "touchstone/executor.h"
#include "touchstone/gaussian_operations.h"

namespace touchstone {

/// Where a network runs, as --device says it.
struct DeviceRequest {
  std::string name = "auto";  ///< auto (a usable GPU, else cpu), cpu, cuda, cuda:N, emulated, emulated:1, reference
  int threads = 0;            ///< cpu: 0 stands for the cores that this process may use
  bool graph = true;          ///< cuda, emulated: replay each training step as a CUDA graph; false: launch one by one
  bool tf32 = false;          ///< cuda: let dense layers round their factors to TF32
  bool tensor_cores = true;   ///< cuda, emulated: let the fused step use them, as two TF32 numbers a factor
  PathRequest path = PathRequest::automatic;
  bool persistent = true;  ///< cuda, emulated, with graph: let the fused step run many steps in one launch
};

/// One line of `touchstone info devices`.
struct DeviceInfo {
  std::string name;
  std::string description;  ///< the processor's name, its threads and instruction set, or why it is not available
  bool available = true;
};

/// All devices this build knows.
std::vector<DeviceInfo> list_devices();

/// The names that --device takes; `cuda` and `emulated` may be followed by :N.
std::vector<std::string> device_names();

/// Whether a name is that of an emulated device: number 0 allows what compute capability 7.5 does, 1 what 9.0 does.
bool is_emulated(std::string_view name);

/// Throws UsageError, naming the nearest, unless --device takes `name`. Does not look for the device itself.
void validate_device_name(const std::string& name);

/// `request` with `auto` replaced by the device that it picks: the first usable GPU, else the CPU.
DeviceRequest resolve_device(const DeviceRequest& request);

/// The number of cores this process may use: its affinity mask and its cgroup's CPU quota, at least 1.
int usable_cores();

/// The single operations of the requested device, for comparing them with the reference. Throws as make_executor.
std::unique_ptr<DeviceOperations> make_device_operations(const DeviceRequest& request);

/// How make_executor() would run a plan. Throws as it does.
ExecutionPath execution_path(const DeviceRequest& request, const ExecutionPlan& plan);

/// The operations on Gaussians of the requested device, in double precision. Throws as make_executor.
std::unique_ptr<GaussianOperations> make_gaussian_operations(const DeviceRequest& request);

/// An executor on the requested device. Throws UsageError for an unknown name and for a path that the device cannot
/// take with this network, Error where the device is not there.
std::unique_ptr<Executor> make_executor(const DeviceRequest& request, const ExecutorSettings& settings);

}  // namespace touchstone
