// SPDX-License-Identifier: Apache-2.0
#include "emulation/shared_arena.h"

#include <algorithm>
#include <new>
#include <string>

#include <sys/mman.h>
#include <unistd.h>

#include "emulation/defect.h"
#include "emulation/limits.h"
#include "emulation/sanitizer.h"

namespace touchstone::emulation {
namespace {

constexpr std::size_t guard_bytes = 256;
constexpr std::size_t most_pieces = 128;

}  // namespace

SharedArena::SharedArena() {
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  const std::size_t pieces = limits::devices.back().shared_bytes_optin + (most_pieces + 1) * guard_bytes;
  const std::size_t usable = (pieces + page - 1) / page * page;
  mapping_bytes_ = usable + 2 * page;
  void* const memory = mmap(nullptr, mapping_bytes_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) {
    throw std::bad_alloc();
  }
  mapping_ = static_cast<std::byte*>(memory);
  first_ = mapping_ + page;
  last_ = first_ + usable;
  if (mprotect(first_, usable, PROT_READ | PROT_WRITE) != 0) {
    munmap(mapping_, mapping_bytes_);
    throw std::bad_alloc();
  }
  pieces_.reserve(most_pieces);
}

SharedArena::~SharedArena() {
  unpoison(first_, static_cast<std::size_t>(last_ - first_));
  munmap(mapping_, mapping_bytes_);
}

void SharedArena::begin(const Options& options, std::size_t limit) {
  if (!pieces_.empty()) {
    unpoison(first_, static_cast<std::size_t>(free_begin() - first_));
    pieces_.clear();
  }
  options_ = options;
  limit_ = limit;
  guard_ = Pattern(options.fill, Content::floating_point, options.seed);
}

std::byte* SharedArena::free_begin() const {
  return pieces_.empty() ? first_ : pieces_.back().data + pieces_.back().bytes + guard_bytes;
}

SharedArena::Piece& SharedArena::add_piece(std::size_t begin, std::size_t end, std::size_t bytes, Content content) {
  if (end > limit_) {
    throw Defect{
        runtime::cudaErrorIllegalAddress,
        "takes " + std::to_string(end) + " bytes of shared memory, but the launch provided " + std::to_string(limit_)};
  }
  if (pieces_.size() == most_pieces) {
    throw Defect{runtime::cudaErrorLaunchFailure, "takes more than " + std::to_string(most_pieces) +
                                                      " pieces of shared memory, which the emulation does not follow"};
  }
  constexpr std::uintptr_t alignment = 16;
  if (pieces_.empty()) {
    guard_.write(first_, guard_bytes);
    poison(first_, guard_bytes);
  }
  std::byte* const from = pieces_.empty() ? first_ + guard_bytes : free_begin();
  std::byte* const data = from + (alignment - reinterpret_cast<std::uintptr_t>(from) % alignment) % alignment;
  // Up to the next multiple of 16 nothing else can start: the guard begins right behind the last byte asked for.
  Pattern(options_.fill, content, options_.seed).write(data, bytes);
  guard_.write(data + bytes, guard_bytes);
  poison(data + bytes, guard_bytes);
  pieces_.push_back({begin, bytes, data});
  return pieces_.back();
}

void* SharedArena::take(std::size_t begin, std::size_t end, std::size_t bytes, Content content) {
  const auto known =
      std::find_if(pieces_.begin(), pieces_.end(), [begin](const Piece& piece) { return piece.begin == begin; });
  if (known == pieces_.end()) {
    return add_piece(begin, end, bytes, content).data;
  }
  if (known->bytes != bytes) {
    throw Defect{runtime::cudaErrorLaunchFailure,
                 "takes " + std::to_string(bytes) + " bytes of shared memory at " + std::to_string(begin) +
                     " where another thread of the block took " + std::to_string(known->bytes)};
  }
  return known->data;
}

void SharedArena::end() {
  const auto check = [this](const std::byte* begin, const Piece& piece, const char* side) {
    if (const auto at = guard_.first_difference(begin, guard_bytes)) {
      throw Defect{runtime::cudaErrorIllegalAddress,
                   "wrote outside shared memory: " + std::to_string(*at) + " bytes into the guard " + side + " the " +
                       std::to_string(piece.bytes) + " bytes taken at " + std::to_string(piece.begin)};
    }
  };
  if (!pieces_.empty()) {
    check(first_, pieces_.front(), "before");
  }
  for (const Piece& piece : pieces_) {
    check(piece.data + piece.bytes, piece, "after");
  }
}

}  // namespace touchstone::emulation
