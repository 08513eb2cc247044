// SPDX-License-Identifier: Apache-2.0
//
// The micro-kernel of gradients behind a max-pool, where each window has one position that counts:
//
//   target[g][r][x] += sum over t of weights[g][t] * source[offsets[g][t] + r * source_pitch + x]
//
// with the terms t added in order, one accumulator per element. A patch is a few runs r of consecutive floats x; where
// it lies in the source is each term's own. A tile of runs and vectors stays in registers over all terms. Included once
// per instruction set.
#if defined(TOUCHSTONE_HOST_CPU_WEIGHTED_PATCHES_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef TOUCHSTONE_HOST_CPU_WEIGHTED_PATCHES_INL_H_
#undef TOUCHSTONE_HOST_CPU_WEIGHTED_PATCHES_INL_H_
#else
#define TOUCHSTONE_HOST_CPU_WEIGHTED_PATCHES_INL_H_
#endif

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <utility>

#include <hwy/highway.h>

#include "host/cpu/simd-inl.h"
#include "host/cpu/weighted_sums-inl.h"

HWY_BEFORE_NAMESPACE();
namespace touchstone::cpu {
namespace HWY_NAMESPACE {

/// The largest tile in runs and in vectors of each, and the most accumulators; small patches go several at a time, so
/// that multiply-adds need not wait for each other.
constexpr std::int64_t max_patch_runs = 6;
constexpr std::int64_t max_patch_vectors = 4;
constexpr std::int64_t max_patch_accumulators = has_32_registers ? 20 : 12;
constexpr std::int64_t patches_at_once = 4;

/// Patches are read and written by whole vectors: so many floats a run.
HWY_INLINE std::int64_t whole_vectors(std::int64_t floats) {
  const std::int64_t lanes = float_lanes();
  return (floats + lanes - 1) / lanes * lanes;
}

/// A target patch, or the first of several with the same steps in between.
struct WeightedPatches {
  const float* source = nullptr;
  std::int64_t source_pitch = 0;          // floats from run to run
  const std::int32_t* offsets = nullptr;  // [terms], term_step apart
  const float* weights = nullptr;         // [terms], term_step apart
  std::int64_t terms = 0;
  std::int64_t term_step = 1;
  float* target = nullptr;
  std::int64_t target_pitch = 0;

  std::int64_t next_terms = 0;   // from a patch's first term to the next patch's
  std::int64_t next_target = 0;  // from a patch to the next
};

template <std::size_t patches, std::size_t runs, std::size_t vectors, std::size_t... index>
HWY_INLINE void run_patch_tile(const WeightedPatches& problem, std::index_sequence<index...> /*accumulators*/) {
  constexpr std::size_t size = runs * vectors;
  const Floats d;
  const std::int64_t lanes = float_lanes();
  const auto signed_index = [](std::size_t i) { return static_cast<std::int64_t>(i); };
  const auto place = [&problem, lanes, signed_index](std::size_t i) HWY_ATTR {
    return problem.target + signed_index(i / size) * problem.next_target +
           signed_index(i % size / vectors) * problem.target_pitch + signed_index(i % vectors) * lanes;
  };
  FloatVector sums[sizeof...(index)] = {hn::LoadU(d, place(index))...};
  const std::int32_t* offsets = problem.offsets;
  const float* weights = problem.weights;
  const std::int64_t pitch = problem.source_pitch;
  for (std::int64_t t = 0; t < problem.terms; ++t) {
    ((sums[index] = hn::MulAdd(
          hn::Set(d, weights[signed_index(index / size) * problem.next_terms]),
          hn::LoadU(d, problem.source + offsets[signed_index(index / size) * problem.next_terms] +
                           signed_index(index % size / vectors) * pitch + signed_index(index % vectors) * lanes),
          sums[index])),
     ...);
    offsets += problem.term_step;
    weights += problem.term_step;
  }
  (hn::StoreU(sums[index], d, place(index)), ...);
}

template <std::size_t patches, std::size_t runs, std::size_t vectors>
void patch_tile(const WeightedPatches& problem) {
  run_patch_tile<patches, runs, vectors>(problem, std::make_index_sequence<patches * runs * vectors>());
}

using PatchTileFunction = void (*)(const WeightedPatches&);

/// The tile function for a number of patches, runs and vectors; nullptr where it would need too many accumulators.
template <std::size_t patches, std::size_t runs, std::size_t vectors>
constexpr PatchTileFunction patch_tile_or_none() {
  if constexpr (patches * runs * vectors <= static_cast<std::size_t>(max_patch_accumulators)) {
    return &patch_tile<patches, runs, vectors>;
  } else {
    return nullptr;
  }
}

/// [runs - 1][vectors - 1]
template <std::size_t patches, std::size_t... run>
constexpr auto patch_tile_table(std::index_sequence<run...> /*runs*/) {
  return std::array<std::array<PatchTileFunction, max_patch_vectors>, sizeof...(run)>{
      {{{patch_tile_or_none<patches, run + 1, 1>(), patch_tile_or_none<patches, run + 1, 2>(),
         patch_tile_or_none<patches, run + 1, 3>(), patch_tile_or_none<patches, run + 1, 4>()}}...}};
}

/// A part of every patch: its first run and float, and the functions for it.
class PatchTile {
 public:
  /// `one` works on a patch, `several` on patches_at_once of them; nullptr where these are too large.
  PatchTile(std::int64_t run, std::int64_t x, PatchTileFunction one, PatchTileFunction several)
      : run_(run), x_(x), one_(one), several_(several) {}

  /// Adds to this part of one patch.
  void add(const WeightedPatches& problem) const { one_(part_of(problem)); }

  /// Adds to this part of `count` patches, which do not overlap.
  void add_all(const WeightedPatches& problem, std::int64_t count) const {
    WeightedPatches part = part_of(problem);
    for (std::int64_t patch = 0; patch < count;) {
      const std::int64_t done = several_ != nullptr && patch + patches_at_once <= count ? patches_at_once : 1;
      (done > 1 ? several_ : one_)(part);
      part.offsets += done * problem.next_terms;
      part.weights += done * problem.next_terms;
      part.target += done * problem.next_target;
      patch += done;
    }
  }

 private:
  [[nodiscard]] WeightedPatches part_of(WeightedPatches problem) const {
    problem.source += run_ * problem.source_pitch + x_;
    problem.target += run_ * problem.target_pitch + x_;
    return problem;
  }

  std::int64_t run_;
  std::int64_t x_;
  PatchTileFunction one_;
  PatchTileFunction several_;
};

/// Calls function(tile) for the tiles of a patch of `runs` runs of `floats` floats each.
template <class Function>
HWY_INLINE void for_each_patch_tile(std::int64_t runs, std::int64_t floats, Function function) {
  using Rows = std::make_index_sequence<max_patch_runs>;
  static constexpr auto one = patch_tile_table<1>(Rows());
  static constexpr auto several = patch_tile_table<patches_at_once>(Rows());
  const std::int64_t lanes = float_lanes();
  const EvenParts run_parts(runs, max_patch_runs);
  const std::int64_t most_vectors = std::min(max_patch_vectors, max_patch_accumulators / run_parts.size(0));
  const EvenParts vector_parts(whole_vectors(floats) / lanes, most_vectors);
  for (std::int64_t r = 0; r < run_parts.parts; ++r) {
    for (std::int64_t v = 0; v < vector_parts.parts; ++v) {
      const auto row = static_cast<std::size_t>(run_parts.size(r) - 1);
      const auto column = static_cast<std::size_t>(vector_parts.size(v) - 1);
      function(PatchTile(run_parts.begin(r), vector_parts.begin(v) * lanes, one[row][column], several[row][column]));
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace touchstone::cpu
HWY_AFTER_NAMESPACE();

#endif  // toggle
