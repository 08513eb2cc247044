// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "emulation/runtime_api.h"

namespace touchstone::emulation {

/// Something a kernel or a caller did wrong: the error the runtime returns for it, and what was seen, for a person.
/// Thrown on a device thread, it ends the kernel.
struct Defect {
  runtime::cudaError_t error = runtime::cudaErrorUnknown;
  std::string text;
  const void* address = nullptr;  ///< what was accessed, where that is what went wrong
};

}  // namespace touchstone::emulation
