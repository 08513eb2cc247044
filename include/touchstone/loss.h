// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

namespace touchstone {

/// What training makes small, a mean over the samples of a mini-batch.
enum class Loss : std::uint8_t {
  softmax_cross_entropy,  ///< of a classifier: -log of the probability that softmax gives to the sample's label
  half_squared_error      ///< of an autoencoder: half the sum of (output - input)^2 over the sample's elements
};

}  // namespace touchstone
