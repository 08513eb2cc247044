// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "emulation/kernel.h"
#include "emulation/options.h"
#include "emulation/pattern.h"

namespace touchstone::emulation {

/// The shared memory of one block: pieces with guard bands between them, before a page that cannot be touched.
class SharedArena {
 public:
  SharedArena();
  SharedArena(const SharedArena&) = delete;
  SharedArena& operator=(const SharedArena&) = delete;
  ~SharedArena();

  /// Begins a block that may take `limit` bytes.
  void begin(const Options& options, std::size_t limit);

  /// As emulation::take_shared. Throws Defect where the block has no such memory, or its threads disagree.
  void* take(std::size_t begin, std::size_t end, std::size_t bytes, Content content);

  /// Ends the block. Throws Defect where something was written outside the pieces.
  void end();

 private:
  struct Piece {
    std::size_t begin;  ///< in the launch's shared memory
    std::size_t bytes;
    std::byte* data;
  };

  [[nodiscard]] std::byte* free_begin() const;
  Piece& add_piece(std::size_t begin, std::size_t end, std::size_t bytes, Content content);

  std::byte* mapping_ = nullptr;
  std::size_t mapping_bytes_ = 0;
  std::byte* first_ = nullptr;
  std::byte* last_ = nullptr;
  Options options_;
  Pattern guard_;
  std::size_t limit_ = 0;
  std::vector<Piece> pieces_;
};

}  // namespace touchstone::emulation
