// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "touchstone/device_operations.h"
#include "touchstone/executor.h"

namespace touchstone {

/// Where an executor's memory comes from.
enum class MemoryStrategy : std::uint8_t {
  arena,   ///< a few large allocations
  guarded  ///< an allocation a tensor, poisoned at first, with guard bands that are verified
};

/// How a CUDA device (or its emulation) is used.
struct CudaOptions {
  int index = 0;      ///< which GPU, counted as CUDA counts them; emulated: 0 as of compute capability 7.5, 1 of 9.0
  bool graph = true;  ///< replay each step as a CUDA graph; false: launch operations one by one, each in an NVTX range
  bool tf32 = false;  ///< let dense layers round their factors to TF32
  bool tensor_cores = true;  ///< let the fused step take convolutions by tensor cores, where the GPU's are fast enough
  MemoryStrategy memory = MemoryStrategy::arena;
  PathRequest path = PathRequest::automatic;
  bool persistent = true;  ///< let the fused step run many steps in one cooperative launch, where graphs may be used
};

/// A device as `info devices` lists it.
struct CudaDevice {
  int index = 0;
  std::string name;     ///< "NVIDIA H100 80GB HBM3, compute capability 9.0, 79.6 GiB"
  std::string problem;  ///< why it cannot be used and what to do; empty where it can
};

/// The kernels compiled by nvcc, on an NVIDIA GPU. In a build without nvcc, devices() names that as the problem and
/// the others throw it.
namespace cuda {

/// The GPUs of this machine. Where there is none, or no usable driver, one entry says so in `problem`. Never throws.
std::vector<CudaDevice> devices();

/// The architectures the kernels were compiled for: "75;80;90;90-virtual".
std::string built_architectures();

/// Throws Error in one line that says what is wrong and what to do: no driver, a driver too old, no GPU, no such GPU,
/// a GPU below the built architectures, all memory taken.
std::unique_ptr<Executor> make_executor(const ExecutorSettings& settings, const CudaOptions& options = {});

/// How make_executor() would run a plan. Throws as it does.
ExecutionPath execution_path(const ExecutionPlan& plan, const CudaOptions& options = {});

/// The single operations of a device. Throws as make_executor.
std::unique_ptr<DeviceOperations> make_device_operations(const CudaOptions& options = {});
std::unique_ptr<GaussianOperations> make_gaussian_operations(const CudaOptions& options = {});

}  // namespace cuda

/// The same kernels compiled by the host compiler, on the emulated device. In every build.
namespace emulated {

std::vector<CudaDevice> devices();
std::string built_architectures();
std::unique_ptr<Executor> make_executor(const ExecutorSettings& settings, const CudaOptions& options = {});
ExecutionPath execution_path(const ExecutionPlan& plan, const CudaOptions& options = {});
std::unique_ptr<DeviceOperations> make_device_operations(const CudaOptions& options = {});
std::unique_ptr<GaussianOperations> make_gaussian_operations(const CudaOptions& options = {});

}  // namespace emulated
}  // namespace touchstone
