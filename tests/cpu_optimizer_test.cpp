// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/cpu_test_support.h"
#include "touchstone/optimizer.h"

namespace touchstone {
namespace {

constexpr double u = 0x1p-24;

/// Parameters and state before a step, in both precisions.
template <class T>
struct Tensors {
  std::vector<T> gradients;
  std::vector<T> parameters;
  std::vector<T> first;   // momentum buffer or first moment
  std::vector<T> second;  // second moment, not negative
};

Tensors<float> draw_tensors(std::int64_t count, test::Draws& draws) {
  Tensors<float> tensors{.gradients = draws.reals(count),
                         .parameters = draws.reals(count),
                         .first = draws.reals(count),
                         .second = draws.reals(count)};
  std::transform(tensors.second.begin(), tensors.second.end(), tensors.second.begin(),
                 [](float value) { return std::abs(value); });
  return tensors;
}

Tensors<double> widen(const Tensors<float>& tensors) {
  return {.gradients = test::widened(tensors.gradients),
          .parameters = test::widened(tensors.parameters),
          .first = test::widened(tensors.first),
          .second = test::widened(tensors.second)};
}

void expect_near(const std::vector<float>& got, const std::vector<double>& expected, double bound) {
  for (std::size_t i = 0; i < expected.size(); ++i) {
    ASSERT_LE(std::abs(double{got[i]} - expected[i]), bound) << i;
  }
}

/// Runs `step` on tensors of sizes around the vectors', without and with weight decay, at several steps.
template <class Step>
void for_each_case(Step step) {
  test::Draws draws(1);
  for (const std::int64_t count : {0, 1, 3, 4, 7, 8, 15, 16, 17, 33, 64, 1001}) {
    for (const double weight_decay : {0.0, 0.01}) {
      const Tensors<float> tensors = draw_tensors(count, draws);
      const std::int64_t number = draws.between(1, 2000);
      test::for_each_instruction_set([&] { step(tensors, count, weight_decay, number); });
    }
  }
}

// All values are below 1 in magnitude (a buffer below 2), so a handful of roundings is an absolute bound.

TEST(CpuOptimizer, SgdFollowsTheReference) {
  for_each_case([](const Tensors<float>& start, std::int64_t count, double weight_decay, std::int64_t number) {
    const OptimizerSettings settings{.momentum = 0.9, .weight_decay = weight_decay};
    const OptimizerStep step{.learning_rate = 0.05, .step = number};
    Tensors<float> got = start;
    Tensors<double> expected = widen(start);
    cpu::sgd(count, settings, step, got.gradients.data(), got.parameters.data(), got.first.data());
    reference::sgd(count, settings, step, expected.gradients.data(), expected.parameters.data(), expected.first.data());
    expect_near(got.first, expected.first, 8 * u);
    expect_near(got.parameters, expected.parameters, 4 * u);
    EXPECT_EQ(got.gradients, start.gradients);
  });
}

using AdamRule = void (*)(std::int64_t, const OptimizerSettings&, const OptimizerStep&, const float*, float*, float*,
                          float*);
using ReferenceAdamRule = void (*)(std::int64_t, const OptimizerSettings&, const OptimizerStep&, const double*, double*,
                                   double*, double*);

void expect_adam_follows(AdamRule rule, ReferenceAdamRule reference_rule) {
  for_each_case([&](const Tensors<float>& start, std::int64_t count, double weight_decay, std::int64_t number) {
    const OptimizerSettings settings{.kind = OptimizerKind::adam, .weight_decay = weight_decay};
    const OptimizerStep step{.learning_rate = 0.01, .step = number};
    Tensors<float> got = start;
    Tensors<double> expected = widen(start);
    rule(count, settings, step, got.gradients.data(), got.parameters.data(), got.first.data(), got.second.data());
    reference_rule(count, settings, step, expected.gradients.data(), expected.parameters.data(), expected.first.data(),
                   expected.second.data());
    expect_near(got.first, expected.first, 8 * u);
    expect_near(got.second, expected.second, 8 * u);
    for (std::size_t i = 0; i < expected.parameters.size(); ++i) {
      // The change is a quotient of values with a few roundings each, and then the parameter rounds.
      const double change = std::abs(expected.parameters[i] - double{start.parameters[i]}) + 0.01 * weight_decay;
      ASSERT_LE(std::abs(double{got.parameters[i]} - expected.parameters[i]),
                2 * u + 24 * u * change / std::min(1.0, std::abs(expected.first[i]) + 1e-3))
          << i;
    }
  });
}

TEST(CpuOptimizer, AdamFollowsTheReference) { expect_adam_follows(&cpu::adam, &reference::adam); }

TEST(CpuOptimizer, AdamWFollowsTheReference) { expect_adam_follows(&cpu::adamw, &reference::adamw); }

TEST(CpuOptimizer, TheTwoAdamsDifferInTheirWeightDecay) {
  test::Draws draws(3);
  const Tensors<float> start = draw_tensors(100, draws);
  const OptimizerSettings settings{.kind = OptimizerKind::adam, .weight_decay = 0.1};
  Tensors<float> coupled = start;
  Tensors<float> decoupled = start;
  const OptimizerStep step{.learning_rate = 0.1, .step = 3};
  cpu::adam(100, settings, step, start.gradients.data(), coupled.parameters.data(), coupled.first.data(),
            coupled.second.data());
  cpu::adamw(100, settings, step, start.gradients.data(), decoupled.parameters.data(), decoupled.first.data(),
             decoupled.second.data());
  EXPECT_NE(coupled.parameters, decoupled.parameters);
  EXPECT_NE(coupled.first, decoupled.first);
}

TEST(CpuOptimizer, GivesAPiecesBitsWhereverThePieceBegins) {
  test::Draws draws(4);
  const Tensors<float> start = draw_tensors(80, draws);
  const OptimizerSettings settings{.kind = OptimizerKind::adam, .weight_decay = 0.01};
  const OptimizerStep step{.learning_rate = 0.01, .step = 5};
  test::for_each_instruction_set([&] {
    Tensors<float> whole = start;
    cpu::adam(80, settings, step, start.gradients.data(), whole.parameters.data(), whole.first.data(),
              whole.second.data());
    Tensors<float> pieces = start;
    for (const auto& [begin, count] : {std::pair{0, 23}, std::pair{23, 57}}) {
      cpu::adam(count, settings, step, start.gradients.data() + begin, pieces.parameters.data() + begin,
                pieces.first.data() + begin, pieces.second.data() + begin);
    }
    EXPECT_EQ(pieces.parameters, whole.parameters);
  });
}

}  // namespace
}  // namespace touchstone
