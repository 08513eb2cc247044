// SPDX-License-Identifier: Apache-2.0
#pragma once

/// The sources of kernels/ are compiled twice: by nvcc for a GPU, and by the host compiler for the emulated device
/// (with TOUCHSTONE_EMULATED defined and emulation/include before any CUDA header). Both builds are linked into one
/// program, so each lives in a namespace of its own:
///
///   namespace touchstone::TOUCHSTONE_BACKEND { ... }   // touchstone::cuda or touchstone::emulated

#include <cuda_runtime.h>

#ifdef TOUCHSTONE_EMULATED
#define TOUCHSTONE_BACKEND emulated

// The emulated build sees Thrust within a namespace of its own (THRUST_CUB_WRAPPED_NAMESPACE), by its usual name.
namespace touchstone_emulated_thrust::thrust {}
namespace touchstone::emulated {
namespace thrust = ::touchstone_emulated_thrust::thrust;
}
#else
#define TOUCHSTONE_BACKEND cuda
#endif

namespace touchstone::TOUCHSTONE_BACKEND {

/// Whether this is the build for the emulated device.
#ifdef TOUCHSTONE_EMULATED
inline constexpr bool emulated_build = true;
#else
inline constexpr bool emulated_build = false;
#endif

inline constexpr int warp_size = 32;

}  // namespace touchstone::TOUCHSTONE_BACKEND
