// SPDX-License-Identifier: Apache-2.0
#pragma once

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
inline constexpr int multiprocessors = 40;
inline constexpr std::size_t parameter_bytes = 4096;

}  // namespace touchstone::emulation::limits
