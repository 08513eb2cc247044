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

/// The sums of one run: `visit` gets each, and where in the run its vector lies.
template <class Visit, std::size_t... vector>
HWY_INLINE void visit_run(float* run, FloatVector* sums, Visit visit, std::index_sequence<vector...> /*vectors*/) {
  (visit(sums[vector], run + static_cast<std::int64_t>(vector) * float_lanes()), ...);
}

/// The sums of one patch in the target.
template <std::size_t vectors, class Visit, std::size_t... run>
HWY_INLINE void visit_patch(float* patch, std::int64_t pitch, FloatVector* sums, Visit visit,
                            std::index_sequence<run...> /*runs*/) {
  ((visit_run(patch, sums + run * vectors, visit, std::make_index_sequence<vectors>()), patch += pitch), ...);
}

template <std::size_t... vector>
HWY_INLINE void add_run(const float* run, FloatVector weight, FloatVector* sums,
                        std::index_sequence<vector...> /*vectors*/) {
  ((sums[vector] =
        hn::MulAdd(weight, hn::LoadU(Floats(), run + static_cast<std::int64_t>(vector) * float_lanes()), sums[vector])),
   ...);
}

/// Adds a term to one patch. The pointer goes from run to run, which leaves each load a plain address.
template <std::size_t vectors, std::size_t... run>
HWY_INLINE void add_patch(const float* patch, std::int64_t pitch, FloatVector weight, FloatVector* sums,
                          std::index_sequence<run...> /*runs*/) {
  ((add_run(patch, weight, sums + run * vectors, std::make_index_sequence<vectors>()), patch += pitch), ...);
}

template <std::size_t runs, std::size_t vectors, std::size_t... patch>
HWY_INLINE void run_patch_tile(const WeightedPatches& problem, std::index_sequence<patch...> /*patches*/) {
  using Runs = std::make_index_sequence<runs>;
  constexpr std::size_t size = runs * vectors;
  const Floats d;
  const auto times = [](std::size_t i, std::int64_t step) { return static_cast<std::int64_t>(i) * step; };
  FloatVector sums[sizeof...(patch) * size];
  float* const target = problem.target;
  const std::int64_t target_pitch = problem.target_pitch;
  const std::int64_t next_target = problem.next_target;
  const auto load = [d](FloatVector& sum, const float* from) HWY_ATTR { sum = hn::LoadU(d, from); };
  (visit_patch<vectors>(target + times(patch, next_target), target_pitch, sums + patch * size, load, Runs()), ...);
  const float* const source = problem.source;
  const std::int32_t* offsets = problem.offsets;
  const float* weights = problem.weights;
  const std::int64_t pitch = problem.source_pitch;
  const std::int64_t step = problem.term_step;
  const std::int64_t next = problem.next_terms;
  for (std::int64_t t = problem.terms; t > 0; --t) {
    (add_patch<vectors>(source + offsets[times(patch, next)], pitch, hn::Set(d, weights[times(patch, next)]),
                        sums + patch * size, Runs()),
     ...);
    offsets += step;
    weights += step;
  }
  const auto store = [d](const FloatVector& sum, float* to) HWY_ATTR { hn::StoreU(sum, d, to); };
  (visit_patch<vectors>(target + times(patch, next_target), target_pitch, sums + patch * size, store, Runs()), ...);
}

template <std::size_t patches, std::size_t runs, std::size_t vectors>
void patch_tile(const WeightedPatches& problem) {
  run_patch_tile<runs, vectors>(problem, std::make_index_sequence<patches>());
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
  PatchTile(std::int64_t run, std::int64_t x, std::int64_t floats, PatchTileFunction one, PatchTileFunction several)
      : run_(run), x_(x), floats_(floats), one_(one), several_(several) {}

  /// Of one patch.
  [[nodiscard]] std::int64_t floats() const { return floats_; }

  /// Adds to this part of `count` patches, one after another.
  void add_each(const WeightedPatches& problem, std::int64_t count) const {
    WeightedPatches part = part_of(problem);
    for (std::int64_t patch = 0; patch < count; ++patch) {
      one_(part);
      advance(part, 1);
    }
  }

  /// The same where the patches do not overlap.
  void add_all(const WeightedPatches& problem, std::int64_t count) const {
    WeightedPatches part = part_of(problem);
    for (std::int64_t patch = 0; patch < count;) {
      const std::int64_t done = several_ != nullptr && patch + patches_at_once <= count ? patches_at_once : 1;
      (done > 1 ? several_ : one_)(part);
      advance(part, done);
      patch += done;
    }
  }

 private:
  static void advance(WeightedPatches& problem, std::int64_t patches) {
    problem.offsets += patches * problem.next_terms;
    problem.weights += patches * problem.next_terms;
    problem.target += patches * problem.next_target;
  }

  [[nodiscard]] WeightedPatches part_of(WeightedPatches problem) const {
    problem.source += run_ * problem.source_pitch + x_;
    problem.target += run_ * problem.target_pitch + x_;
    return problem;
  }

  std::int64_t run_;
  std::int64_t x_;
  std::int64_t floats_;
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
      function(PatchTile(run_parts.begin(r), vector_parts.begin(v) * lanes,
                         run_parts.size(r) * vector_parts.size(v) * lanes, one[row][column], several[row][column]));
    }
  }
}

}  // namespace HWY_NAMESPACE
}  // namespace touchstone::cpu
HWY_AFTER_NAMESPACE();

#endif  // toggle
