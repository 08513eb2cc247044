// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

/// What the emulated devices allow.
namespace touchstone::emulation::limits {

inline constexpr int warp_threads = 32;
inline constexpr unsigned block_threads = 1024;
inline constexpr unsigned block_x = 1024;
inline constexpr unsigned block_y = 1024;
inline constexpr unsigned block_z = 64;
inline constexpr unsigned grid_x = 2147483647;
inline constexpr unsigned grid_y = 65535;
inline constexpr unsigned grid_z = 65535;
inline constexpr std::size_t shared_bytes = std::size_t{48} * 1024;  ///< without asking
/// Few, so that the blocks of a cooperative launch, which are all under way at a time, have few threads in all.
inline constexpr int multiprocessors = 8;
inline constexpr std::size_t parameter_bytes = 4096;

/// What differs between compute capabilities.
struct Capability {
  int major;
  int minor;
  std::size_t shared_bytes_optin;  ///< of a block, with cudaFuncSetAttribute
  std::size_t multiprocessor_shared_bytes;
  int multiprocessor_threads;
  int multiprocessor_blocks;

  /// The blocks that a multiprocessor holds at a time.
  [[nodiscard]] constexpr int resident_blocks(int threads, std::size_t block_shared_bytes) const {
    const int warps = (threads + warp_threads - 1) / warp_threads;
    const int by_threads = multiprocessor_threads / (warps * warp_threads);
    const int by_memory = block_shared_bytes == 0 ? multiprocessor_blocks
                                                  : static_cast<int>(multiprocessor_shared_bytes / block_shared_bytes);
    return std::min({by_threads, by_memory, multiprocessor_blocks});
  }
};

/// The emulated devices by their numbers: with the limits of the smallest compute capability that Touchstone is built
/// for, and of one with tensor cores for TF32 and much shared memory.
inline constexpr std::array<Capability, 2> devices = {{
    {.major = 7,
     .minor = 5,
     .shared_bytes_optin = std::size_t{64} * 1024,
     .multiprocessor_shared_bytes = std::size_t{64} * 1024,
     .multiprocessor_threads = 1024,
     .multiprocessor_blocks = 16},
    {.major = 9,
     .minor = 0,
     .shared_bytes_optin = std::size_t{227} * 1024,
     .multiprocessor_shared_bytes = std::size_t{228} * 1024,
     .multiprocessor_threads = 2048,
     .multiprocessor_blocks = 32},
}};

}  // namespace touchstone::emulation::limits
