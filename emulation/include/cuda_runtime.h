// SPDX-License-Identifier: Apache-2.0
#pragma once

/// Stands in for the CUDA toolkit's header of this name where kernels/ is compiled for the emulated device. All it
/// declares lives in touchstone::emulation::runtime with C++ linkage, so that a program may hold this runtime and
/// NVIDIA's side by side; a using directive lets sources name things as they always do.

#include "emulation/device_functions.h"
#include "emulation/runtime_api.h"
#include "emulation/vector_types.h"

// What nvcc knows by heart. There is no __shared__: kernels take shared memory through SharedMemory.
// NOLINTBEGIN(bugprone-reserved-identifier): these are CUDA's names
#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
// NOLINTEND(bugprone-reserved-identifier)

using namespace touchstone::emulation::runtime;  // NOLINT(google-global-names-in-headers)
