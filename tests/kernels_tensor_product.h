// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "kernels/backend.h"

/// Kernels of the tests' own, for what only a kernel can call: kernels/tensor_core.h.
namespace touchstone::TOUCHSTONE_BACKEND {

inline constexpr int product_rows = 16;
inline constexpr int product_columns = 8;
inline constexpr int product_terms = 8;  ///< at a time

/// The compute capability that the kernels run with, 75, 80, ...: of the GPU, or of what they were compiled for where
/// that is less.
[[nodiscard]] int product_capability();

/// Both parts of floats, by split().
struct FloatParts {
  std::vector<float> high;
  std::vector<float> low;
};
[[nodiscard]] FloatParts split_floats(const std::vector<float>& values);

/// `left` [16, terms] times `right` [8, terms] transposed: [16, 8], by add_tensor_product(). The terms are whole
/// eights.
[[nodiscard]] std::vector<float> tensor_product(const std::vector<float>& left, const std::vector<float>& right);

}  // namespace touchstone::TOUCHSTONE_BACKEND
