// SPDX-License-Identifier: Apache-2.0
#pragma once

// Libraries that look for the runtime's C interface find the emulated one.
#include <cuda_runtime.h>
