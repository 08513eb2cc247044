// SPDX-License-Identifier: Apache-2.0
#include "touchstone/pixel_buffer.h"

#include <algorithm>
#include <cassert>
#include <new>
#include <utility>

#include <sys/mman.h>

namespace touchstone {
namespace {

constexpr std::size_t cache_line = 64;
constexpr std::size_t huge_page = std::size_t{2} << 20U;

std::size_t round_up(std::size_t size, std::size_t multiple) { return (size + multiple - 1) / multiple * multiple; }

// Memory that nobody has touched. Large buffers are aligned to, and asked to be made of, huge pages: one page fault for
// 2 MiB instead of 512.
std::uint8_t* allocate(std::size_t size) {
  const std::size_t alignment = size >= huge_page ? huge_page : cache_line;
  if (size > SIZE_MAX - alignment) throw std::bad_alloc();
  const std::size_t rounded = round_up(size, alignment);
  void* memory = std::aligned_alloc(alignment, rounded);
  if (memory == nullptr) throw std::bad_alloc();
  // A hint: where the kernel does not take it, the buffer is as good, only slower to fill.
  if (alignment == huge_page) static_cast<void>(madvise(memory, rounded, MADV_HUGEPAGE));
  return static_cast<std::uint8_t*>(memory);
}

}  // namespace

PixelBuffer PixelBuffer::uninitialised(std::size_t size) {
  PixelBuffer buffer;
  if (size == 0) return buffer;
  buffer.memory_.reset(allocate(size));
  buffer.data_ = buffer.memory_.get();
  buffer.size_ = size;
  return buffer;
}

PixelBuffer::PixelBuffer(std::size_t size, std::uint8_t value) : PixelBuffer(uninitialised(size)) {
  std::fill(begin(), end(), value);
}

PixelBuffer::PixelBuffer(const std::uint8_t* first, const std::uint8_t* last)
    : PixelBuffer(uninitialised(static_cast<std::size_t>(last - first))) {
  std::copy(first, last, begin());
}

void PixelBuffer::remove_prefix(std::size_t count) {
  assert(count <= size_);
  data_ += count;
  size_ -= count;
}

void PixelBuffer::swap(PixelBuffer& other) noexcept {
  std::swap(memory_, other.memory_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
}

bool operator==(const PixelBuffer& a, const PixelBuffer& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

}  // namespace touchstone
