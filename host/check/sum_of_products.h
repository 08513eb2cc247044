// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "host/check/trial.h"

namespace touchstone::check {

/// An operation each of whose results is a sum of products left * right, plus an addend (a bias) where it has one.
///
/// Exact: small integers, chosen so that `terms * A * B + |addend| <= 2^24`. Each partial sum is then a float32
/// whatever the order, so the results must be equal.
/// Bounded: real numbers. In any order, and barring underflow, which the inputs rule out, a sum of n terms is off by at
/// most gamma(n) * sum |left * right|: each term is rounded once as a product and at most n - 1 times on its way
/// through the sum (Higham, "Accuracy and Stability of Numerical Algorithms", section 3.1; a fused multiply-add saves
/// one of them). The reference gives the sum of magnitudes when it is run on magnitudes.
struct SumOfProducts {
  using DeviceCall =
      std::function<void(DeviceOperations&, const float* left, const float* right, const float* addend, float* result)>;
  using ReferenceCall =
      std::function<void(const double* left, const double* right, const double* addend, double* result)>;

  std::string result;  ///< the name of what comes out
  Dimensions dimensions;
  std::int64_t left_count = 0;
  std::int64_t right_count = 0;   ///< 0: the terms are the left's values alone, no product is rounded
  std::int64_t addend_count = 0;  ///< 0: there is none
  std::int64_t terms = 0;         ///< in the longest sum, the addend counted
  DeviceCall on_device;
  ReferenceCall on_reference;
};

/// Adds an exact and a bounded trial.
void add_trials(Trials& trials, const SumOfProducts& operation, CaseRandom& random);

}  // namespace touchstone::check
