// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <tuple>
#include <type_traits>
#include <vector>

#include "emulation/runtime_api.h"
#include "emulation/vector_types.h"

/// The seam between the compiled kernels and the emulated device: launches, and what running threads call.
namespace touchstone::emulation {

/// A line of source, for reports.
struct Place {
  const char* file = "";
  int line = 0;
};

/// A machine word among a kernel's arguments that is, or within a struct may be, a pointer.
struct ArgumentWord {
  int parameter = 0;  ///< from 0
  const void* value = nullptr;
  bool is_pointer = false;  ///< false: eight bytes of a struct
};

/// A kernel with its arguments, ready to run.
struct KernelLaunch {
  const void* kernel = nullptr;
  runtime::dim3 grid;
  runtime::dim3 block;
  std::size_t shared_bytes = 0;
  Place place;
  bool cooperative = false;  ///< all blocks run at a time, and may meet at a barrier of the grid
  std::vector<ArgumentWord> words;
  std::function<void()> thread;  ///< runs one thread, whose coordinates are set
};

namespace detail {

template <class T>
void add_words([[maybe_unused]] int parameter, [[maybe_unused]] const T& value,
               [[maybe_unused]] std::vector<ArgumentWord>& words) {
  if constexpr (std::is_pointer_v<T>) {
    words.push_back({parameter, reinterpret_cast<const void*>(value), true});
  } else if constexpr (std::is_class_v<T>) {
    static_assert(std::is_trivially_copyable_v<T>, "a kernel's arguments are copied as bytes");
#if __has_builtin(__builtin_clear_padding)  // without it, old addresses in the padding would be taken for arguments
    T copy = value;
    __builtin_clear_padding(&copy);
    for (std::size_t offset = 0; offset + sizeof(const void*) <= sizeof(T); offset += sizeof(const void*)) {
      const void* word = nullptr;
      std::memcpy(&word, reinterpret_cast<const char*>(&copy) + offset, sizeof(word));
      words.push_back({parameter, word, false});
    }
#endif
  }
}

}  // namespace detail

/// Checks a launch against the device's limits and its arguments against device memory, and queues it on `stream`.
runtime::cudaError_t launch(KernelLaunch launch, runtime::cudaStream_t stream);

template <class... Parameters>
runtime::cudaError_t launch(void (*kernel)(Parameters...), runtime::dim3 grid, runtime::dim3 block,
                            std::size_t shared_bytes, runtime::cudaStream_t stream, Place place, bool cooperative,
                            const std::tuple<Parameters...>& values) {
  std::vector<ArgumentWord> words;
  std::apply(
      [&words]([[maybe_unused]] const auto&... value) {
        [[maybe_unused]] int parameter = 0;
        (detail::add_words(parameter++, value, words), ...);
      },
      values);
  return launch({reinterpret_cast<const void*>(kernel), grid, block, shared_bytes, place, cooperative, std::move(words),
                 [kernel, values] { std::apply(kernel, values); }},
                stream);
}

/// What shared memory is filled with where a kernel takes it: by the kind of number it will hold.
enum class Content : std::uint8_t { floating_point, integer };

/// Bytes `begin` to `end` of the launch's shared memory, of which the first `bytes` are asked for: filled at the
/// block's first call, the same address at the others'.
void* take_shared(std::size_t begin, std::size_t end, std::size_t bytes, Content content);

/// Ends the kernel with cudaErrorMisalignedAddress unless `address` is a multiple of `alignment`.
void fail_alignment(const void* address, std::size_t alignment, std::size_t bytes);
inline void check_alignment(const void* address, std::size_t alignment, std::size_t bytes) {
  if (reinterpret_cast<std::uintptr_t>(address) % alignment != 0) {
    fail_alignment(address, alignment, bytes);
  }
}

/// Waits until each thread of the block is at this barrier; the number of those whose `predicate` holds.
int block_barrier(const char* name, Place place, bool predicate);

/// Waits until each thread of the grid, which was launched cooperatively, is at this barrier.
void grid_barrier(const char* name, Place place);

/// Waits for the lanes of `mask`; a bit for each whose `predicate` holds.
unsigned warp_ballot(const char* name, Place place, unsigned mask, bool predicate);

/// How a shuffle finds the lane to read from.
enum class ShuffleKind : std::uint8_t { indexed, up, down, exclusive_or };

/// Waits for the lanes of `mask`; the bits that the source lane came with.
std::uint64_t warp_shuffle(ShuffleKind kind, Place place, unsigned mask, std::uint64_t bits, unsigned operand,
                           int width);

/// What a lane brings to a product of its warp, and where it takes the sums from: see multiply_tf32().
struct TensorOperands {
  const float* rows = nullptr;     ///< [4]
  const float* columns = nullptr;  ///< [2]
  float* sums = nullptr;           ///< [4]
};

/// A warp's 16x8 sums += 16x8 rows times 8x8 columns, all TF32 numbers, as PTX has it for `mma.sync.aligned.m16n8k8` of
/// them: lane l has of rows l/4 and l/4 + 8 term l%4 and, behind both, term l%4 + 4; of column l/4 the same terms; of
/// the sums of row l/4 columns 2(l%4) and 2(l%4) + 1, then the same of row l/4 + 8. Added in double precision and
/// rounded once, where a GPU's own ways are not documented. Waits for all lanes. Ends the kernel where a factor is no
/// TF32 number.
void multiply_tf32(Place place, float (&sums)[4], const float (&rows)[4], const float (&columns)[2]);

/// As PTX's `cvt.rna.tf32.f32`: the nearest number with an 11-bit significand, of two the one farther from zero.
float round_to_tf32(float value);

}  // namespace touchstone::emulation
