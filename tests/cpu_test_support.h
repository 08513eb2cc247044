// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <hwy/highway.h>
#include <hwy/targets.h>

#include "touchstone/random.h"

/// What the tests of the cpu device's operations share: data, outputs with guards, comparisons, and a loop over every
/// instruction set that this processor can run.
namespace touchstone::test {

/// Runs `body` once for each instruction set that was compiled and that this processor has, and puts the choice back.
template <class Body>
void for_each_instruction_set(Body body) {
  for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
    const testing::ScopedTrace trace(__FILE__, __LINE__, hwy::TargetName(target));
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    body();
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

/// Random numbers of one stream: each draw takes the next.
class Draws {
 public:
  explicit Draws(std::uint32_t stream) : stream_(stream) {}

  std::uint32_t word() { return random_word(20240607, RandomPurpose::check, stream_, index_++); }
  /// A whole number in low..high.
  std::int64_t between(std::int64_t low, std::int64_t high) {
    return low + static_cast<std::int64_t>(word() % static_cast<std::uint32_t>(high - low + 1));
  }
  /// A real in [-1, 1).
  float real() { return 2 * uniform_float(word()) - 1; }

  std::vector<float> integers(std::int64_t count, std::int64_t magnitude) {
    std::vector<float> values(static_cast<std::size_t>(count));
    std::generate(values.begin(), values.end(), [&] { return static_cast<float>(between(-magnitude, magnitude)); });
    return values;
  }
  std::vector<float> reals(std::int64_t count) {
    std::vector<float> values(static_cast<std::size_t>(count));
    std::generate(values.begin(), values.end(), [&] { return real(); });
    return values;
  }

 private:
  std::uint32_t stream_;
  std::uint64_t index_ = 0;
};

inline std::vector<double> widened(const std::vector<float>& values) { return {values.begin(), values.end()}; }

inline std::vector<double> magnitudes(const std::vector<float>& values) {
  std::vector<double> absolute(values.size());
  std::transform(values.begin(), values.end(), absolute.begin(), [](float value) { return std::abs(double{value}); });
  return absolute;
}

/// An output between guards, poisoned: all its bytes are 0xFF (a NaN, or -1).
template <class T>
class PoisonedOutput {
 public:
  explicit PoisonedOutput(std::int64_t count)
      : count_(static_cast<std::size_t>(count)), bytes_((count_ + 2 * guard) * sizeof(T), std::uint8_t{0xFF}) {
    std::fill_n(bytes_.begin(), guard * sizeof(T), guard_byte);
    std::fill_n(bytes_.end() - guard * sizeof(T), guard * sizeof(T), guard_byte);
  }
  [[nodiscard]] T* data() { return reinterpret_cast<T*>(bytes_.data()) + guard; }
  [[nodiscard]] std::vector<T> values() {
    EXPECT_TRUE(intact()) << "something was written outside the output";
    return {data(), data() + count_};
  }

 private:
  [[nodiscard]] bool intact() const {
    const auto is_guard = [](std::uint8_t byte) { return byte == guard_byte; };
    return std::all_of(bytes_.begin(), bytes_.begin() + guard * sizeof(T), is_guard) &&
           std::all_of(bytes_.end() - guard * sizeof(T), bytes_.end(), is_guard);
  }

  static constexpr std::size_t guard = 64;
  static constexpr std::uint8_t guard_byte = 0xA5;
  std::size_t count_;
  std::vector<std::uint8_t> bytes_;
};

/// One shape of an operation that is sums of products of its inputs.
struct SumOfProducts {
  std::string name;
  std::vector<std::int64_t> inputs;  // how many elements each has
  std::int64_t output = 0;
  std::int64_t terms = 1;  // the most that any output sums
  std::function<void(const std::vector<const double*>&, double*)> reference;
  std::function<void(const std::vector<const float*>&, float*)> device;
};

namespace detail {

template <class T>
std::vector<const T*> pointers(const std::vector<std::vector<T>>& arrays) {
  std::vector<const T*> starts;
  for (const std::vector<T>& array : arrays) {
    starts.push_back(array.data());
  }
  return starts;
}

inline std::vector<double> run_reference(const SumOfProducts& operation,
                                         const std::vector<std::vector<double>>& inputs) {
  std::vector<double> output(static_cast<std::size_t>(operation.output));
  operation.reference(pointers(inputs), output.data());
  return output;
}

/// Compares the device on every instruction set with `expected`; `bound` gives each element's largest error.
template <class Bound>
void compare(const SumOfProducts& operation, const std::vector<std::vector<float>>& inputs,
             const std::vector<double>& expected, Bound bound) {
  for_each_instruction_set([&] {
    PoisonedOutput<float> output(operation.output);
    operation.device(pointers(inputs), output.data());
    const std::vector<float> got = output.values();
    for (std::size_t i = 0; i < expected.size(); ++i) {
      // Written so that a NaN fails.
      ASSERT_TRUE(std::abs(double{got[i]} - expected[i]) <= bound(i))
          << operation.name << ", element " << i << ": got " << got[i] << ", expected " << expected[i] << " within "
          << bound(i);
    }
  });
}

}  // namespace detail

/// Small integers: every partial sum is representable, so nothing may differ.
inline void expect_exact(const SumOfProducts& operation, Draws& draws) {
  constexpr std::int64_t magnitude = 4;
  ASSERT_LE(operation.terms * magnitude * magnitude, std::int64_t{1} << 24) << operation.name;
  std::vector<std::vector<float>> inputs;
  std::vector<std::vector<double>> wide;
  for (const std::int64_t count : operation.inputs) {
    inputs.push_back(draws.integers(count, magnitude));
    wide.push_back(widened(inputs.back()));
  }
  detail::compare(operation, inputs, detail::run_reference(operation, wide), [](std::size_t) { return 0.0; });
}

/// Reals: each error at most n u / (1 - n u) times the sum of the magnitudes of its terms.
inline void expect_bounded(const SumOfProducts& operation, Draws& draws) {
  std::vector<std::vector<float>> inputs;
  std::vector<std::vector<double>> wide;
  std::vector<std::vector<double>> absolute;
  for (const std::int64_t count : operation.inputs) {
    inputs.push_back(draws.reals(count));
    wide.push_back(widened(inputs.back()));
    absolute.push_back(magnitudes(inputs.back()));
  }
  const std::vector<double> sums = detail::run_reference(operation, absolute);
  const double nu = static_cast<double>(operation.terms) * 0x1p-24;
  detail::compare(operation, inputs, detail::run_reference(operation, wide),
                  [&](std::size_t i) { return nu / (1 - nu) * sums[i]; });
}

/// The distance of a float32 result from the true value in units of the last place of a float32 near the true value.
inline double error_in_ulps(float got, double expected) {
  if (std::isnan(got) || std::isnan(expected)) {
    return std::isnan(got) && std::isnan(expected) ? 0 : std::numeric_limits<double>::infinity();
  }
  const double magnitude = std::max(std::abs(expected), 0x1p-126);
  const double ulp = std::ldexp(1.0, std::ilogb(magnitude) - 23);
  return std::abs(double{got} - expected) / ulp;
}

}  // namespace touchstone::test
