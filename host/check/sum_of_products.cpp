// SPDX-License-Identifier: Apache-2.0
#include "host/check/sum_of_products.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "host/check/rounded.h"

namespace touchstone::check {
namespace {

constexpr std::int64_t largest_exact = std::int64_t{1} << 24U;
constexpr std::int64_t addend_magnitude = 1024;

/// The largest A, up to 64, with terms * A * A + |addend| <= 2^24.
std::int64_t exact_magnitude(std::int64_t terms) {
  const double limit =
      static_cast<double>(largest_exact - addend_magnitude) / static_cast<double>(std::max<std::int64_t>(terms, 1));
  return std::clamp<std::int64_t>(static_cast<std::int64_t>(std::sqrt(limit)), 1, 64);
}

std::vector<double> magnitudes(const GuardedArray<float>& values) {
  std::vector<double> result = to_double(values);
  for (double& value : result) value = std::abs(value);
  return result;
}

class SumOfProductsTrial final : public Trial {
 public:
  static std::unique_ptr<Trial> exact(const SumOfProducts& operation, CaseRandom& random) {
    const std::int64_t magnitude = exact_magnitude(operation.terms);
    GuardedArray<float> left = random.integers(operation.left_count, magnitude);
    GuardedArray<float> right = random.integers(operation.right_count, magnitude);
    GuardedArray<float> addend = random.integers(operation.addend_count, addend_magnitude);
    return std::make_unique<SumOfProductsTrial>(operation, true, std::move(left), std::move(right), std::move(addend));
  }

  static std::unique_ptr<Trial> bounded(const SumOfProducts& operation, CaseRandom& random) {
    GuardedArray<float> left = random.reals(operation.left_count);
    GuardedArray<float> right = random.reals(operation.right_count);
    GuardedArray<float> addend = random.reals(operation.addend_count);
    return std::make_unique<SumOfProductsTrial>(operation, false, std::move(left), std::move(right), std::move(addend));
  }

  SumOfProductsTrial(const SumOfProducts& operation, bool exact, GuardedArray<float> left, GuardedArray<float> right,
                     GuardedArray<float> addend)
      : Trial(operation.result + (exact ? ", exact" : ", bounded")),
        operation_(operation),
        exact_(exact),
        left_(std::move(left)),
        right_(std::move(right)),
        addend_(std::move(addend)) {}

  [[nodiscard]] Outputs run(DeviceOperations& device) const override {
    Outputs outputs;
    float* result = outputs.add<float>(operation_.result, operation_.dimensions);
    operation_.on_device(device, left_.data(), right_.data(), addend_.data(), result);
    return outputs;
  }

  [[nodiscard]] std::vector<Expected> expected(const Outputs& /*outputs*/,
                                               const DeviceOperations& /*device*/) const override {
    Expected result{reference(to_double(left_), to_double(right_), to_double(addend_)), {}};
    if (!exact_) {
      result.bounds = reference(magnitudes(left_), magnitudes(right_), magnitudes(addend_));
      const double share =
          gamma(operation_.right_count == 0 ? std::max<std::int64_t>(operation_.terms - 1, 0) : operation_.terms);
      for (double& bound : result.bounds) bound *= share;
    }
    return {std::move(result)};
  }

 private:
  [[nodiscard]] std::vector<double> reference(const std::vector<double>& left, const std::vector<double>& right,
                                              const std::vector<double>& addend) const {
    std::vector<double> result(static_cast<std::size_t>(element_count(operation_.dimensions)));
    operation_.on_reference(left.data(), right.data(), addend.data(), result.data());
    return result;
  }

  SumOfProducts operation_;
  bool exact_;
  GuardedArray<float> left_;
  GuardedArray<float> right_;
  GuardedArray<float> addend_;
};

}  // namespace

void add_trials(Trials& trials, const SumOfProducts& operation, CaseRandom& random) {
  trials.push_back(SumOfProductsTrial::exact(operation, random));
  trials.push_back(SumOfProductsTrial::bounded(operation, random));
}

}  // namespace touchstone::check
