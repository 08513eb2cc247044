// SPDX-License-Identifier: Apache-2.0
//
// The micro-kernel of the convolution's forward pass and gradients by the input, and of the dense layer's gradients:
//
//   output[r][x] = initial[r] + sum over t of weights[r][t] * source[offsets[t] + x]
//
// with the terms t added in order, one accumulator per output. A tile of a few rows by a few vectors of x stays in
// registers over all terms; each term loads the vectors once and broadcasts one weight per row. Included once per
// instruction set.
#if defined(TOUCHSTONE_HOST_CPU_WEIGHTED_SUMS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TOUCHSTONE_HOST_CPU_WEIGHTED_SUMS_INL_H_
#undef TOUCHSTONE_HOST_CPU_WEIGHTED_SUMS_INL_H_
#else
#define TOUCHSTONE_HOST_CPU_WEIGHTED_SUMS_INL_H_
#endif

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <hwy/highway.h>

#include "host/cpu/simd-inl.h"

HWY_BEFORE_NAMESPACE();
namespace touchstone::cpu {
namespace HWY_NAMESPACE {

/// The largest tile. With 32 registers 8 rows by 3 vectors are 24 accumulators, and 11 loads feed 24 multiply-adds;
/// with 16 registers it is 4 by 3 and 7 for 12.
constexpr bool has_32_registers = !HWY_ARCH_X86 || HWY_TARGET <= HWY_AVX3;
constexpr std::int64_t max_tile_rows = has_32_registers ? 8 : 4;
constexpr std::int64_t max_tile_vectors = 3;

/// `count` things in as few parts of at most `largest` as possible, sizes as even as possible, the larger ones first.
struct EvenParts {
  std::int64_t count = 0;
  std::int64_t parts = 0;

  EvenParts(std::int64_t total, std::int64_t largest) : count(total), parts((total + largest - 1) / largest) {}
  [[nodiscard]] std::int64_t begin(std::int64_t part) const {
    return part * (count / parts) + std::min(part, count % parts);
  }
  [[nodiscard]] std::int64_t size(std::int64_t part) const { return begin(part + 1) - begin(part); }
};

/// One call of the micro-kernel. `weights` is what pack_weights() made of [rows][terms]; of the terms only
/// first_term..last_term-1 are added.
struct WeightedSums {
  const float* source = nullptr;
  const std::int64_t* offsets = nullptr;  // [terms]
  std::int64_t terms = 0;
  std::int64_t first_term = 0;
  std::int64_t last_term = 0;
  const float* weights = nullptr;  // [row block][terms][rows of the block]
  const float* initial = nullptr;  // [rows]; nullptr for zeros
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  float* output = nullptr;  // [rows][output_pitch]
  std::int64_t output_pitch = 0;
};

/// Rearranges weights[r][t] = from[r * row_stride + t * term_stride] to [row block][terms][rows of the block].
inline void pack_weights(const float* from, std::int64_t row_stride, std::int64_t term_stride, std::int64_t rows,
                         std::int64_t terms, float* to) {
  const EvenParts blocks(rows, max_tile_rows);
  for (std::int64_t block = 0; block < blocks.parts; ++block) {
    const float* block_from = from + blocks.begin(block) * row_stride;
    const std::int64_t block_rows = blocks.size(block);
    for (std::int64_t t = 0; t < terms; ++t) {
      for (std::int64_t r = 0; r < block_rows; ++r) {
        *to++ = block_from[r * row_stride + t * term_stride];
      }
    }
  }
}

/// Whether a source may be read, though not used, up to a vector beyond its last column.
enum class SourceEnd : std::uint8_t { readable, exact };

/// What one tile works on: its corner in the source and in the output.
struct WeightedTile {
  const float* source = nullptr;   // at the tile's first column
  const float* weights = nullptr;  // of the row block
  const float* initial = nullptr;
  float* output = nullptr;
  std::int64_t columns = 0;  // up to Vectors * lanes, more than one vector less
};

template <SourceEnd end>
HWY_INLINE FloatVector load_source(const float* from, std::int64_t count) {
  if constexpr (end == SourceEnd::readable) {
    return hn::LoadU(Floats(), from);
  } else {
    return load_first(from, count);
  }
}

/// Adds one term to a tile. Index lists instead of loops, so that the accumulators are registers from the start.
template <SourceEnd end, std::size_t... vector, std::size_t... index>
HWY_INLINE void add_term(const float* source, const float* weights, std::int64_t columns,
                         FloatVector (&sums)[sizeof...(index)], std::index_sequence<vector...> /*vectors*/,
                         std::index_sequence<index...> /*accumulators*/) {
  constexpr std::size_t vectors = sizeof...(vector);
  const std::int64_t lanes = float_lanes();
  const FloatVector values[vectors] = {
      load_source<end>(source + static_cast<std::int64_t>(vector) * lanes, columns)...};
  ((sums[index] = hn::MulAdd(hn::Set(Floats(), weights[index / vectors]), values[index % vectors], sums[index])), ...);
}

template <std::size_t vectors, std::size_t... index>
HWY_INLINE void store_tile(const WeightedTile& tile, std::int64_t pitch, const FloatVector (&sums)[sizeof...(index)],
                           std::index_sequence<index...> /*accumulators*/) {
  const std::int64_t lanes = float_lanes();
  const auto place = [&tile, pitch, lanes](std::size_t i) HWY_ATTR {
    return tile.output + static_cast<std::int64_t>(i / vectors) * pitch +
           static_cast<std::int64_t>(i % vectors) * lanes;
  };
  if (tile.columns == static_cast<std::int64_t>(vectors) * lanes) {
    (hn::StoreU(sums[index], Floats(), place(index)), ...);
  } else {
    const std::int64_t last = tile.columns - static_cast<std::int64_t>(vectors - 1) * lanes;
    ((index % vectors + 1 < vectors ? hn::StoreU(sums[index], Floats(), place(index))
                                    : store_first(sums[index], place(index), last)),
     ...);
  }
}

template <SourceEnd end, std::size_t rows, std::size_t vectors, std::size_t... index>
HWY_INLINE void run_tile(const WeightedSums& problem, const WeightedTile& tile,
                         std::index_sequence<index...> accumulators) {
  FloatVector sums[rows * vectors] = {
      hn::Set(Floats(), tile.initial == nullptr ? 0.0F : tile.initial[index / vectors])...};
  const float* weights = tile.weights + problem.first_term * static_cast<std::int64_t>(rows);
  for (std::int64_t t = problem.first_term; t < problem.last_term; ++t) {
    add_term<end>(tile.source + problem.offsets[t], weights, tile.columns, sums, std::make_index_sequence<vectors>(),
                  accumulators);
    weights += rows;
  }
  store_tile<vectors>(tile, problem.output_pitch, sums, accumulators);
}

template <SourceEnd end, std::size_t rows, std::size_t vectors>
void weighted_tile(const WeightedSums& problem, const WeightedTile& tile) {
  run_tile<end, rows, vectors>(problem, tile, std::make_index_sequence<rows * vectors>());
}

using WeightedTileFunction = void (*)(const WeightedSums&, const WeightedTile&);

/// The tile function for each size: [rows - 1][vectors - 1]; the list holds the numbers of rows less one.
template <SourceEnd end, std::size_t... row>
constexpr auto weighted_tile_table(std::index_sequence<row...> /*rows*/) {
  return std::array<std::array<WeightedTileFunction, max_tile_vectors>, sizeof...(row)>{
      {{{&weighted_tile<end, row + 1, 1>, &weighted_tile<end, row + 1, 2>, &weighted_tile<end, row + 1, 3>}}...}};
}

template <SourceEnd end>
inline void run_tiles(const WeightedSums& problem, std::int64_t first_column, std::int64_t columns) {
  static constexpr auto table = weighted_tile_table<end>(std::make_index_sequence<max_tile_rows>());
  const std::int64_t lanes = float_lanes();
  const EvenParts row_blocks(problem.rows, max_tile_rows);
  const EvenParts column_blocks((columns + lanes - 1) / lanes, max_tile_vectors);
  for (std::int64_t block = 0; block < row_blocks.parts; ++block) {
    const std::int64_t row = row_blocks.begin(block);
    for (std::int64_t part = 0; part < column_blocks.parts; ++part) {
      const std::int64_t offset = column_blocks.begin(part) * lanes;
      const std::int64_t vectors = column_blocks.size(part);
      const std::int64_t column = first_column + offset;
      table[static_cast<std::size_t>(row_blocks.size(block) - 1)][static_cast<std::size_t>(vectors - 1)](
          problem, {.source = problem.source + column,
                    .weights = problem.weights + row * problem.terms,
                    .initial = problem.initial == nullptr ? nullptr : problem.initial + row,
                    .output = problem.output + row * problem.output_pitch + column,
                    .columns = std::min(vectors * lanes, columns - offset)});
    }
  }
}

/// Computes all rows and columns. A source that ends exactly is read by whole vectors as far as these go, and its last
/// columns by themselves.
template <SourceEnd end>
inline void weighted_sums(const WeightedSums& problem) {
  if constexpr (end == SourceEnd::readable) {
    run_tiles<SourceEnd::readable>(problem, 0, problem.columns);
  } else {
    const std::int64_t whole = problem.columns - problem.columns % float_lanes();
    if (whole > 0) {
      run_tiles<SourceEnd::readable>(problem, 0, whole);
    }
    if (whole < problem.columns) {
      run_tiles<SourceEnd::exact>(problem, whole, problem.columns - whole);
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace touchstone::cpu
HWY_AFTER_NAMESPACE();

#endif  // toggle
