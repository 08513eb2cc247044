// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>

/// What the emulated device allows: the limits of compute capability 7.5, the smallest that Touchstone is built for.
namespace touchstone::emulation::limits {

inline constexpr int warp_threads = 32;
inline constexpr unsigned block_threads = 1024;
inline constexpr unsigned block_x = 1024;
inline constexpr unsigned block_y = 1024;
inline constexpr unsigned block_z = 64;
inline constexpr unsigned grid_x = 2147483647;
inline constexpr unsigned grid_y = 65535;
inline constexpr unsigned grid_z = 65535;
inline constexpr std::size_t shared_bytes = std::size_t{48} * 1024;        ///< without asking
inline constexpr std::size_t shared_bytes_optin = std::size_t{64} * 1024;  ///< with cudaFuncSetAttribute
inline constexpr int multiprocessor_threads = 1024;
inline constexpr int multiprocessor_blocks = 16;
/// Few, so that the blocks of a cooperative launch, which are all under way at a time, have few threads in all.
inline constexpr int multiprocessors = 8;
inline constexpr std::size_t parameter_bytes = 4096;

/// The blocks that a multiprocessor holds at a time.
constexpr int resident_blocks(int threads, std::size_t block_shared_bytes) {
  const int warps = (threads + warp_threads - 1) / warp_threads;
  const int by_threads = multiprocessor_threads / (warps * warp_threads);
  const int by_memory =
      block_shared_bytes == 0 ? multiprocessor_blocks : static_cast<int>(shared_bytes_optin / block_shared_bytes);
  return std::min({by_threads, by_memory, multiprocessor_blocks});
}

}  // namespace touchstone::emulation::limits
