// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

/// What AddressSanitizer is told about fibers and guard bands; nothing where the build does not use it.

#if defined(__SANITIZE_ADDRESS__)
#define TOUCHSTONE_ADDRESS_SANITIZER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TOUCHSTONE_ADDRESS_SANITIZER 1
#endif
#endif

#ifdef TOUCHSTONE_ADDRESS_SANITIZER
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define TOUCHSTONE_READS_POISONED __attribute__((no_sanitize("address")))
#else
#define TOUCHSTONE_READS_POISONED
#endif

namespace touchstone::emulation {

#ifdef TOUCHSTONE_ADDRESS_SANITIZER

inline constexpr bool address_sanitizer = true;

inline void poison(const void* begin, std::size_t bytes) { __asan_poison_memory_region(begin, bytes); }
inline void unpoison(const void* begin, std::size_t bytes) { __asan_unpoison_memory_region(begin, bytes); }
inline void start_switch(void** fake_stack, const void* bottom, std::size_t bytes) {
  __sanitizer_start_switch_fiber(fake_stack, bottom, bytes);
}
inline void finish_switch(void* fake_stack, const void** previous_bottom, std::size_t* previous_bytes) {
  __sanitizer_finish_switch_fiber(fake_stack, previous_bottom, previous_bytes);
}

#else

inline constexpr bool address_sanitizer = false;

inline void poison(const void* /*begin*/, std::size_t /*bytes*/) {}
inline void unpoison(const void* /*begin*/, std::size_t /*bytes*/) {}
inline void start_switch(void** /*fake_stack*/, const void* /*bottom*/, std::size_t /*bytes*/) {}
inline void finish_switch(void* /*fake_stack*/, const void** /*previous_bottom*/, std::size_t* /*previous_bytes*/) {}

#endif

}  // namespace touchstone::emulation
