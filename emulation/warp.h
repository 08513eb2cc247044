// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "emulation/kernel.h"
#include "emulation/tensor_core.h"

namespace touchstone::emulation {

/// The warp functions of one warp: who waits for whom, and with what.
class Warp {
 public:
  /// What a lane comes with to a meeting of the lanes in `mask`.
  struct Arrival {
    const char* name = "";  ///< of the function, for reports
    Place place;
    unsigned mask = 0;
    std::uint64_t bits = 0;                   ///< what it offers
    int source = 0;                           ///< the lane whose bits it wants
    bool predicate = false;                   ///< its vote
    const TensorOperands* product = nullptr;  ///< its share of a product of the warp
  };
  /// What a lane leaves with.
  struct Result {
    std::uint64_t bits = 0;
    unsigned ballot = 0;
  };

  /// Begins a warp of `lanes` lanes.
  void begin(int lanes);

  /// Lane `lane` comes to a meeting. Returns the lanes that may go on (0 while others are missing); their results are
  /// then in result(). Throws Defect where the mask does not fit the lanes that come.
  unsigned arrive(int lane, const Arrival& arrival);

  [[nodiscard]] const Result& result(int lane) const { return results_[static_cast<std::size_t>(lane)]; }

  /// Lane `lane` has ended. Throws Defect where others wait for it.
  void leave(int lane);

  [[nodiscard]] bool anybody_waits() const { return !meetings_.empty(); }
  /// Who waits where for whom.
  [[nodiscard]] std::string description() const;

 private:
  struct Meeting {
    Arrival first;
    unsigned arrived = 0;
    std::array<std::uint64_t, 32> bits = {};
    std::array<int, 32> sources = {};
    TensorFactors factors = {};
    unsigned ballot = 0;
  };

  void check_mask(int lane, const Arrival& arrival) const;
  Meeting& meeting_for(int lane, const Arrival& arrival);
  void conclude(const Meeting& meeting);

  unsigned present_ = 0;  ///< lanes that have not ended
  std::vector<Meeting> meetings_;
  std::array<Result, 32> results_ = {};
};

}  // namespace touchstone::emulation
