// SPDX-License-Identifier: Apache-2.0
// What takes the place of the CUDA backend in a build without nvcc: says so.
#include "kernels/devices.h"
#include "touchstone/error.h"

namespace touchstone::cuda {
namespace {

constexpr const char* problem =
    "this build has no CUDA backend, for nvcc was not found when it was built: install the CUDA Toolkit (12.8 or "
    "newer) "
    "and build again, or use --device cpu";

}  // namespace

std::vector<CudaDevice> devices() { return {{.index = 0, .name = "", .problem = problem}}; }

std::string built_architectures() { return ""; }

std::unique_ptr<Executor> make_executor(const ExecutorSettings& /*settings*/, const CudaOptions& /*options*/) {
  throw Error(std::string("device cuda: ") + problem);
}

ExecutionPath execution_path(const ExecutionPlan& /*plan*/, const CudaOptions& /*options*/) {
  throw Error(std::string("device cuda: ") + problem);
}

std::unique_ptr<DeviceOperations> make_device_operations(const CudaOptions& /*options*/) {
  throw Error(std::string("device cuda: ") + problem);
}

std::unique_ptr<GaussianOperations> make_gaussian_operations(const CudaOptions& /*options*/) {
  throw Error(std::string("device cuda: ") + problem);
}

}  // namespace touchstone::cuda
