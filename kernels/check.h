// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "kernels/backend.h"
#include "touchstone/error.h"

#ifdef TOUCHSTONE_EMULATED
#include "emulation/report.h"
#endif

namespace touchstone::TOUCHSTONE_BACKEND {

/// "cudaErrorIllegalAddress: an illegal memory access was encountered", and on the emulated device what it saw.
inline std::string describe(cudaError_t error) {
  std::string text = std::string(cudaGetErrorName(error)) + ": " + cudaGetErrorString(error);
#ifdef TOUCHSTONE_EMULATED
  text += emulation::report_suffix(error);
#endif
  return text;
}

/// Throws DeviceError unless a call of the CUDA runtime succeeded: check(cudaMalloc(&address, bytes), "cudaMalloc").
/// The message names the call, its file and line, and CUDA's name and text of the error.
inline void check(cudaError_t error, const char* call, const char* file = __builtin_FILE(),
                  int line = __builtin_LINE()) {
  if (error != cudaSuccess) {
    throw DeviceError(std::string(call) + " at " + file + ":" + std::to_string(line) + ": " + describe(error));
  }
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
