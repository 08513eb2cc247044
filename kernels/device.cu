// SPDX-License-Identifier: Apache-2.0
#include "kernels/allocator.h"
#include "kernels/check.h"
#include "kernels/device.h"
#include "kernels/handles.h"

namespace touchstone::TOUCHSTONE_BACKEND {
namespace {

// Compiled for each built architecture; whether a device has an image of it says whether it can run the others.
__global__ void probe_kernel() {}

// "13.0" for 13000.
std::string version_text(int version) {
  return std::to_string(version / 1000) + "." + std::to_string(version % 1000 / 10);
}

std::string driver_problem() {
  int driver = 0;
  if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0) {
    return "no NVIDIA driver was found: install it (nvidia-smi then lists the GPUs), or use --device cpu";
  }
  return "the NVIDIA driver supports CUDA up to " + version_text(driver) + ", this program was built with CUDA " +
         version_text(CUDART_VERSION) + ": update the driver, or use --device cpu";
}

// Why the devices cannot be counted, or "".
std::string counting_problem(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "";
    case cudaErrorInsufficientDriver:
      return driver_problem();
    case cudaErrorNoDevice:
      return "the driver is there but no GPU: check nvidia-smi and CUDA_VISIBLE_DEVICES, or use --device cpu";
    default:
      return "the GPUs cannot be listed (" + describe(error) + "): check nvidia-smi, or use --device cpu";
  }
}

std::string count_devices(int& count) {
  const cudaError_t error = cudaGetDeviceCount(&count);
  static_cast<void>(cudaGetLastError());  // reported here; later checks need not find it again
  std::string problem = counting_problem(error);
  if (problem.empty() && count == 0) {
    problem = counting_problem(cudaErrorNoDevice);
  }
  return problem;
}

// What a device that does not start has, or "".
std::string starting_problem(cudaError_t error) {
  switch (error) {
    case cudaSuccess:
      return "";
    case cudaErrorNoKernelImageForDevice:
    case cudaErrorInvalidDeviceFunction:
      return "this program has no kernels for it (they are built for the architectures " + built_architectures() +
             "): build with -DCMAKE_CUDA_ARCHITECTURES=native, or use --device cpu";
    case cudaErrorMemoryAllocation:
      return "all of its memory is taken by other processes (nvidia-smi lists them): end one, or use another GPU or "
             "--device cpu";
    case cudaErrorDevicesUnavailable:
      return "another process has it to itself (its compute mode is exclusive): wait for that, or use another GPU or "
             "--device cpu";
    case cudaErrorInsufficientDriver:
      return driver_problem();
    default:
      return "it cannot be used (" + describe(error) + "): check nvidia-smi, or use --device cpu";
  }
}

// Makes a device current and starts it, which needs some of its memory and an image of the kernels.
cudaError_t start_device(int index) {
  cudaError_t error = cudaSetDevice(index);
  if (error == cudaSuccess) {
    std::size_t free_bytes = 0;
    std::size_t total_bytes = 0;
    error = cudaMemGetInfo(&free_bytes, &total_bytes);
  }
  if (error == cudaSuccess) {
    cudaFuncAttributes attributes;
    error = cudaFuncGetAttributes(&attributes, probe_kernel);
  }
  static_cast<void>(cudaGetLastError());
  return error;
}

CudaDevice describe_device(int index) {
  CudaDevice device{.index = index, .name = "", .problem = ""};
  cudaDeviceProp properties;
  const cudaError_t error = cudaGetDeviceProperties(&properties, index);
  if (error == cudaSuccess) {
    device.name = std::string(properties.name) + ", compute capability " + std::to_string(properties.major) + "." +
                  std::to_string(properties.minor) + ", " + format_bytes(properties.totalGlobalMem);
  }
  device.problem = starting_problem(error == cudaSuccess ? start_device(index) : error);
  if (device.problem.empty()) {
    device.problem = blas_problem();
  }
  return device;
}

}  // namespace

std::vector<CudaDevice> devices() {
  int count = 0;
  const std::string problem = count_devices(count);
  if (!problem.empty()) {
    return {CudaDevice{.index = 0, .name = "", .problem = problem}};
  }
  std::vector<CudaDevice> all;
  for (int index = 0; index < count; ++index) {
    all.push_back(describe_device(index));
  }
  return all;
}

std::string built_architectures() { return TOUCHSTONE_CUDA_ARCHITECTURES; }

std::string device_name(int index) {
  if (!emulated_build) {
    return "cuda:" + std::to_string(index);
  }
  return index == 0 ? "emulated" : "emulated:" + std::to_string(index);
}

void open_device(int index) {
  int count = 0;
  const std::string problem = count_devices(count);
  if (!problem.empty()) {
    throw Error("device " + device_name(index) + ": " + problem);
  }
  if (index < 0 || index >= count) {
    throw Error("device " + device_name(index) + ": there " +
                (count == 1 ? "is 1 GPU" : "are " + std::to_string(count) + " GPUs") + ", counted from " +
                (emulated_build ? "emulated:0" : "cuda:0"));
  }
  const std::string start = starting_problem(start_device(index));
  if (!start.empty()) {
    const CudaDevice device = describe_device(index);
    throw Error("device " + device_name(index) + (device.name.empty() ? "" : " (" + device.name + ")") + ": " + start);
  }
}

void use_device(int index) { check(cudaSetDevice(index), "cudaSetDevice"); }

}  // namespace touchstone::TOUCHSTONE_BACKEND
