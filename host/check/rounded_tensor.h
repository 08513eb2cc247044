// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "host/check/rounded.h"
#include "touchstone/maxpool.h"

namespace touchstone::check {

/// A tensor with a bound on the error of each element: many of Rounded.
struct RoundedTensor {
  std::vector<double> values;
  std::vector<double> errors;

  RoundedTensor() = default;
  explicit RoundedTensor(std::size_t count) : values(count), errors(count) {}
  /// Without errors.
  static RoundedTensor exact(std::vector<double> values);

  [[nodiscard]] std::size_t size() const { return values.size(); }
  [[nodiscard]] Rounded operator[](std::size_t index) const { return {values[index], errors[index]}; }
  void set(std::size_t index, const Rounded& number) {
    values[index] = number.value;
    errors[index] = number.error;
  }
};

/// A sum of products in double precision: (left, right, addend, result).
using ProductSum = std::function<void(const double*, const double*, const double*, double*)>;

/// A sum of `terms` products, and addends, of inexact operands; see bounded_gradients.h.
RoundedTensor sum_of_products(std::int64_t count, std::int64_t terms, const RoundedTensor& left,
                              const RoundedTensor& right, const RoundedTensor& addend, const ProductSum& reference);

/// What a max-pool made of an inexact input.
struct PooledTensor {
  RoundedTensor output;
  std::vector<std::int32_t> argmax;
  /// For each window the positions in its plane, the chosen one included, between which the errors leave the choice
  /// open; empty where they do not.
  std::vector<std::vector<std::int32_t>> close;
};

PooledTensor maxpool_forward(const MaxpoolShape& shape, const RoundedTensor& input);

RoundedTensor maxpool_backward(const MaxpoolShape& shape, const RoundedTensor& grad_output, const PooledTensor& pooled);

}  // namespace touchstone::check
