// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "touchstone/softmax_cross_entropy.h"

namespace touchstone {

namespace reference {

/// The number of rows whose largest logit (the first of equals) stands at the row's label.
std::int64_t accuracy(const SoftmaxCrossEntropyShape& shape, const double* logits, const std::uint8_t* labels);

}  // namespace reference

namespace cpu {

/// As reference::accuracy.
std::int64_t accuracy(const SoftmaxCrossEntropyShape& shape, const float* logits, const std::uint8_t* labels);

}  // namespace cpu
}  // namespace touchstone
