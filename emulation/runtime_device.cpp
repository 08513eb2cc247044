// SPDX-License-Identifier: Apache-2.0
// The runtime's functions about errors, the device and kernels.
#include <algorithm>
#include <cstring>

#include "emulation/device_state.h"
#include "emulation/limits.h"
#include "emulation/runtime_api.h"
#include "emulation/symbols.h"

namespace touchstone::emulation::runtime {
namespace {

struct ErrorText {
  cudaError_t error;
  const char* name;
  const char* text;
};

constexpr ErrorText error_texts[] = {
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorInitializationError, "cudaErrorInitializationError", "initialization error"},
    {cudaErrorInvalidConfiguration, "cudaErrorInvalidConfiguration", "invalid configuration argument"},
    {cudaErrorInvalidDevicePointer, "cudaErrorInvalidDevicePointer", "invalid device pointer"},
    {cudaErrorInvalidMemcpyDirection, "cudaErrorInvalidMemcpyDirection", "invalid copy direction for memcpy"},
    {cudaErrorInsufficientDriver, "cudaErrorInsufficientDriver",
     "CUDA driver version is insufficient for CUDA runtime version"},
    {cudaErrorDevicesUnavailable, "cudaErrorDevicesUnavailable", "CUDA-capable device(s) is/are busy or unavailable"},
    {cudaErrorInvalidDeviceFunction, "cudaErrorInvalidDeviceFunction", "invalid device function"},
    {cudaErrorNoDevice, "cudaErrorNoDevice", "no CUDA-capable device is detected"},
    {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {cudaErrorNoKernelImageForDevice, "cudaErrorNoKernelImageForDevice",
     "no kernel image is available for execution on the device"},
    {cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle", "invalid resource handle"},
    {cudaErrorNotReady, "cudaErrorNotReady", "device not ready"},
    {cudaErrorIllegalAddress, "cudaErrorIllegalAddress", "an illegal memory access was encountered"},
    {cudaErrorLaunchOutOfResources, "cudaErrorLaunchOutOfResources", "too many resources requested for launch"},
    {cudaErrorMisalignedAddress, "cudaErrorMisalignedAddress", "misaligned address"},
    {cudaErrorLaunchFailure, "cudaErrorLaunchFailure", "unspecified launch failure"},
    {cudaErrorCooperativeLaunchTooLarge, "cudaErrorCooperativeLaunchTooLarge", "too many blocks in cooperative launch"},
    {cudaErrorNotSupported, "cudaErrorNotSupported", "operation not supported"},
    {cudaErrorStreamCaptureUnsupported, "cudaErrorStreamCaptureUnsupported",
     "operation not permitted when stream is capturing"},
    {cudaErrorStreamCaptureInvalidated, "cudaErrorStreamCaptureInvalidated",
     "operation failed due to a previous error during capture"},
    {cudaErrorStreamCaptureMerge, "cudaErrorStreamCaptureMerge",
     "operation would result in a merge of separate capture sequences"},
    {cudaErrorStreamCaptureUnmatched, "cudaErrorStreamCaptureUnmatched",
     "capture was not ended in the same stream as it began"},
    {cudaErrorStreamCaptureUnjoined, "cudaErrorStreamCaptureUnjoined", "capturing stream has unjoined work"},
    {cudaErrorStreamCaptureIsolation, "cudaErrorStreamCaptureIsolation",
     "dependency created on uncaptured work in another stream"},
    {cudaErrorStreamCaptureImplicit, "cudaErrorStreamCaptureImplicit",
     "operation would make the legacy stream depend on a capturing blocking stream"},
    {cudaErrorCapturedEvent, "cudaErrorCapturedEvent",
     "operation not permitted on an event last recorded in a capturing stream"},
    {cudaErrorUnknown, "cudaErrorUnknown", "unknown error"},
};

const ErrorText* find_text(cudaError_t error) {
  const auto* const found = std::find_if(std::begin(error_texts), std::end(error_texts),
                                         [error](const ErrorText& text) { return text.error == error; });
  return found == std::end(error_texts) ? nullptr : found;
}

constexpr int cuda_version = 13000;

void require_device(int device) {
  if (device < 0 || static_cast<std::size_t>(device) >= limits::devices.size()) {
    throw Defect{cudaErrorInvalidDevice, "the emulated devices are numbers 0 and 1"};
  }
}

cudaDeviceProp make_properties(int device, std::size_t memory_bytes) {
  const limits::Capability& capability = limits::devices[static_cast<std::size_t>(device)];
  cudaDeviceProp properties = {};
  std::strncpy(properties.name, "Touchstone emulated device", sizeof(properties.name) - 1);
  properties.totalGlobalMem = memory_bytes;
  properties.sharedMemPerBlock = limits::shared_bytes;
  properties.sharedMemPerBlockOptin = capability.shared_bytes_optin;
  properties.sharedMemPerMultiprocessor = capability.multiprocessor_shared_bytes;
  properties.regsPerBlock = 65536;
  properties.warpSize = limits::warp_threads;
  properties.maxThreadsPerBlock = limits::block_threads;
  properties.maxThreadsDim[0] = limits::block_x;
  properties.maxThreadsDim[1] = limits::block_y;
  properties.maxThreadsDim[2] = limits::block_z;
  properties.maxGridSize[0] = limits::grid_x;
  properties.maxGridSize[1] = limits::grid_y;
  properties.maxGridSize[2] = limits::grid_z;
  properties.maxThreadsPerMultiProcessor = capability.multiprocessor_threads;
  properties.maxBlocksPerMultiProcessor = capability.multiprocessor_blocks;
  properties.multiProcessorCount = limits::multiprocessors;
  properties.l2CacheSize = 4 << 20;
  properties.memoryBusWidth = 256;
  properties.major = capability.major;
  properties.minor = capability.minor;
  properties.concurrentKernels = 1;
  properties.unifiedAddressing = 1;
  return properties;
}

int attribute_of(const cudaDeviceProp& properties, cudaDeviceAttr attribute) {
  switch (attribute) {
    case cudaDevAttrMaxThreadsPerBlock:
      return properties.maxThreadsPerBlock;
    case cudaDevAttrMaxSharedMemoryPerBlock:
      return static_cast<int>(properties.sharedMemPerBlock);
    case cudaDevAttrWarpSize:
      return properties.warpSize;
    case cudaDevAttrMultiProcessorCount:
      return properties.multiProcessorCount;
    case cudaDevAttrMaxThreadsPerMultiProcessor:
      return properties.maxThreadsPerMultiProcessor;
    case cudaDevAttrComputeCapabilityMajor:
      return properties.major;
    case cudaDevAttrComputeCapabilityMinor:
      return properties.minor;
    case cudaDevAttrMaxSharedMemoryPerMultiprocessor:
      return static_cast<int>(properties.sharedMemPerMultiprocessor);
    case cudaDevAttrCooperativeLaunch:
      return 1;
    case cudaDevAttrMaxSharedMemoryPerBlockOptin:
      return static_cast<int>(properties.sharedMemPerBlockOptin);
  }
  throw Defect{cudaErrorInvalidValue, "a device attribute that the emulation does not have"};
}

}  // namespace

const char* cudaGetErrorName(cudaError_t error) {
  const ErrorText* const text = find_text(error);
  return text == nullptr ? "unrecognized error code" : text->name;
}

const char* cudaGetErrorString(cudaError_t error) {
  const ErrorText* const text = find_text(error);
  return text == nullptr ? "unrecognized error code" : text->text;
}

cudaError_t cudaGetLastError() { return Device::get().last_error(true); }
cudaError_t cudaPeekAtLastError() { return Device::get().last_error(false); }

cudaError_t cudaDriverGetVersion(int* version) {
  *version = cuda_version;
  return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int* version) {
  *version = cuda_version;
  return cudaSuccess;
}

cudaError_t cudaGetDeviceCount(int* count) {
  *count = static_cast<int>(limits::devices.size());
  return cudaSuccess;
}

cudaError_t cudaGetDevice(int* device) {
  *device = Device::current();
  return cudaSuccess;
}

cudaError_t cudaSetDevice(int device) {
  return Device::get().guarded([device] {
    require_device(device);
    Device::make_current(device);
  });
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
  Device& emulated = Device::get();
  return emulated.guarded([&] {
    require_device(device);
    *properties = make_properties(device, emulated.options.memory_bytes);
  });
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  Device& emulated = Device::get();
  return emulated.guarded([&] {
    require_device(device);
    *value = attribute_of(make_properties(device, emulated.options.memory_bytes), attribute);
  });
}

cudaError_t cudaDeviceSynchronize() {
  Device& device = Device::get();
  return device.guarded([&] {
    if (device.streams.capturing()) {
      device.streams.forbid_unsafe_call();
      throw Defect{cudaErrorStreamCaptureUnsupported, "cudaDeviceSynchronize during a capture"};
    }
    device.streams.run_all();
  });
}

cudaError_t cudaDeviceReset() {
  emulation::reset();
  return cudaSuccess;
}

cudaError_t cudaMemGetInfo(std::size_t* free_bytes, std::size_t* total_bytes) {
  Device& device = Device::get();
  return device.guarded([&] {
    *total_bytes = device.options.memory_bytes;
    *free_bytes = *total_bytes - std::min(*total_bytes, device.memory.used_bytes());
  });
}

cudaError_t cudaFuncSetAttribute(const void* kernel, cudaFuncAttribute attribute, int value) {
  Device& device = Device::get();
  return device.guarded([&] {
    if (attribute == cudaFuncAttributeMaxDynamicSharedMemorySize) {
      const std::size_t most = Device::capability().shared_bytes_optin;
      if (value < 0 || static_cast<std::size_t>(value) > most) {
        throw Defect{cudaErrorInvalidValue, readable_name(kernel) + ": " + std::to_string(value) +
                                                " bytes of shared memory asked for; at most " + std::to_string(most) +
                                                " are possible"};
      }
      device.shared_limits[{Device::current(), kernel}] = static_cast<std::size_t>(value);
    }
  });
}

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void* kernel) {
  Device& device = Device::get();
  return device.guarded([&] {
    *attributes = {};
    attributes->maxThreadsPerBlock = limits::block_threads;
    attributes->ptxVersion = 10 * Device::capability().major + Device::capability().minor;
    attributes->maxDynamicSharedSizeBytes = static_cast<int>(device.shared_limit(kernel));
  });
}

cudaError_t cudaFuncGetName(const char** name, const void* kernel) {
  const std::string& symbol = symbol_name(kernel);
  *name = symbol.c_str();
  return symbol.empty() ? cudaErrorInvalidDeviceFunction : cudaSuccess;
}

cudaError_t cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void* /*kernel*/, int block_size,
                                                          std::size_t shared_bytes) {
  return Device::get().guarded([&] {
    if (block_size < 1) {
      throw Defect{cudaErrorInvalidValue, "occupancy of blocks of no threads"};
    }
    *blocks = Device::capability().resident_blocks(block_size, shared_bytes);
  });
}

}  // namespace touchstone::emulation::runtime
