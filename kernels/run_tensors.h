// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "kernels/backend.h"
#include "kernels/step.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// What a run of steps works through, in device memory: images of a data set in some order, one value a sample or a
/// step.
struct RunTensors {
  const std::uint8_t* pixels;    ///< of the whole set
  const std::uint8_t* labels;    ///< of the whole set
  const std::uint32_t* indices;  ///< one a sample
  float* losses;
  std::uint8_t* correct;
  const StepRecord* records;  ///< one a step
};

}  // namespace touchstone::TOUCHSTONE_BACKEND
