// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace touchstone::emulation {

/// The order in which the threads of a block, and the blocks of a grid, run between two meetings (barriers, shuffles).
enum class Schedule : std::uint8_t {
  ascending,   ///< each thread in turn, from the first
  descending,  ///< from the last
  random,      ///< in an order drawn from the seed, another in each block
  by_warp      ///< one warp runs as far as it can before the next starts
};

/// What memory holds before anything is written to it. Memory of unknown type gets the floating-point pattern; shared
/// memory taken as integers gets the other.
enum class Fill : std::uint8_t {
  not_a_number,  ///< bytes 0xFF: NaN, and -1 or the largest as integers
  infinity,      ///< +infinity; random integers
  large,         ///< 1e38; integers of bytes 0x7F
  zero           ///< 0; random integers
};

/// How the emulated device behaves.
struct Options {
  Schedule schedule = Schedule::ascending;
  Fill fill = Fill::not_a_number;
  std::uint64_t seed = 1;  ///< of random orders and random integers
  int threads = 0;         ///< host threads that run blocks; 0: one per usable core, at most 16
  std::size_t memory_bytes = std::size_t{8} << 30U;  ///< of the device

  bool operator==(const Options&) const = default;
};

/// The schedules that a kernel must give the same bits under, each with another fill.
inline constexpr std::array<Options, 4> standard_schedules = {{
    {.schedule = Schedule::ascending, .fill = Fill::not_a_number},
    {.schedule = Schedule::descending, .fill = Fill::infinity},
    {.schedule = Schedule::random, .fill = Fill::large},
    {.schedule = Schedule::by_warp, .fill = Fill::zero},
}};

/// "ascending", "descending", "random" or "by-warp".
std::string_view to_string(Schedule schedule);

/// "NaN", "infinity", "1e38" or "zero".
std::string_view to_string(Fill fill);

}  // namespace touchstone::emulation
