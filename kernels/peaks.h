// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/backend.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// target[i] = source[i], in device memory, at addresses that are multiples of 16.
void copy(std::int64_t count, const float* source, float* target, cudaStream_t stream);

/// `rounds` multiply-adds in each of several independent chains a thread, on as many threads as the device holds; how
/// many multiply-adds that makes. Each thread leaves its sum in `results` [multiply_add_workspace()].
std::int64_t multiply_add(std::int64_t rounds, float* results, cudaStream_t stream);
std::int64_t multiply_add(std::int64_t rounds, double* results, cudaStream_t stream);

/// The number of threads that multiply_add() starts on the current device.
[[nodiscard]] std::int64_t multiply_add_workspace();

}  // namespace touchstone::TOUCHSTONE_BACKEND
