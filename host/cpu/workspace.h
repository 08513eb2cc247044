// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <vector>

namespace touchstone::cpu {

/// Scratch memory of one thread: allocation moves a mark, a Scope moves it back. Memory is kept from use to use, so
/// that after the first step of a run nothing is asked of the system. What is allocated is not initialised.
class Workspace {
 public:
  /// Every allocation starts at a multiple of so many bytes: a cache line, and the widest vector.
  static constexpr std::size_t alignment = 64;

  /// What is allocated while a scope lives is free again when it ends. Scopes nest.
  class Scope {
   public:
    explicit Scope(Workspace& workspace) : workspace_(workspace), mark_(workspace.mark_) { ++workspace.depth_; }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    ~Scope() { workspace_.release(mark_); }

   private:
    friend class Workspace;
    struct Mark {
      std::size_t block = 0;
      std::size_t used = 0;  // bytes of that block
    };
    Workspace& workspace_;
    Mark mark_;
  };

  Workspace() = default;
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;
  ~Workspace() = default;

  /// Room for `count` values of a trivial type until the innermost scope ends.
  template <class T>
  [[nodiscard]] T* allocate(std::int64_t count) {
    return static_cast<T*>(take(static_cast<std::size_t>(count) * sizeof(T)));
  }

 private:
  struct Deleter {
    void operator()(std::byte* bytes) const { ::operator delete (bytes, std::align_val_t{alignment}); }
  };
  struct Block {
    std::unique_ptr<std::byte, Deleter> bytes;
    std::size_t size = 0;
  };

  void* take(std::size_t bytes) {
    const std::size_t rounded = (bytes + alignment - 1) / alignment * alignment;
    while (mark_.block < blocks_.size() && mark_.used + rounded > blocks_[mark_.block].size) {
      mark_ = {.block = mark_.block + 1, .used = 0};
    }
    if (mark_.block == blocks_.size()) {
      add_block(rounded);
    }
    std::byte* start = blocks_[mark_.block].bytes.get() + mark_.used;
    mark_.used += rounded;
    return start;
  }

  void add_block(std::size_t at_least) {
    constexpr std::size_t smallest = std::size_t{1} << 16U;
    std::size_t size = smallest;
    for (const Block& block : blocks_) {
      size += block.size;  // doubles what there is
    }
    size = size < at_least ? at_least : size;
    auto* bytes = static_cast<std::byte*>(::operator new (size, std::align_val_t{alignment}));
    blocks_.push_back({.bytes = std::unique_ptr<std::byte, Deleter>(bytes), .size = size});
  }

  /// Moves the mark back. Where the outermost scope ends and memory is in pieces, one block of their total size takes
  /// their place, so that the next use finds it in one piece.
  void release(Scope::Mark mark) noexcept {
    mark_ = mark;
    --depth_;
    if (depth_ == 0 && blocks_.size() > 1) {
      std::size_t total = 0;
      for (const Block& block : blocks_) {
        total += block.size;
      }
      auto* bytes = static_cast<std::byte*>(::operator new (total, std::align_val_t{alignment}, std::nothrow));
      if (bytes != nullptr) {
        blocks_.resize(1);
        blocks_.front() = {.bytes = std::unique_ptr<std::byte, Deleter>(bytes), .size = total};
      }
    }
  }

  std::vector<Block> blocks_;
  Scope::Mark mark_;
  int depth_ = 0;
};

}  // namespace touchstone::cpu
