// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/backend.h"
#include "kernels/geometry.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// Takes pieces of a tensor of floats one after another, each at a multiple of 16 bytes.
class Places {
 public:
  constexpr int take(int floats) {
    const int place = floats_;
    floats_ += round_up(floats, vector_floats);
    return place;
  }
  [[nodiscard]] constexpr int floats() const { return floats_; }

 private:
  static constexpr int vector_floats = 4;
  int floats_ = 0;
};

}  // namespace touchstone::TOUCHSTONE_BACKEND
