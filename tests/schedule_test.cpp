// SPDX-License-Identifier: Apache-2.0
#include "touchstone/schedule.h"

#include <cmath>

#include <gtest/gtest.h>

namespace touchstone {
namespace {

TEST(Schedule, ConstantIsTheGivenRateFromTheFirstStep) {
  for (const std::int64_t step : {0, 1, 99}) EXPECT_EQ(learning_rate_at({}, 0.05, step, 10, 10), 0.05);
}

TEST(Schedule, WarmupRisesLinearly) {
  const ScheduleSettings settings{.kind = ScheduleKind::constant, .warmup = 4};
  EXPECT_DOUBLE_EQ(learning_rate_at(settings, 0.8, 0, 10, 10), 0.2);
  EXPECT_DOUBLE_EQ(learning_rate_at(settings, 0.8, 2, 10, 10), 0.6);
  EXPECT_DOUBLE_EQ(learning_rate_at(settings, 0.8, 3, 10, 10), 0.8);
  EXPECT_DOUBLE_EQ(learning_rate_at(settings, 0.8, 4, 10, 10), 0.8);
}

TEST(Schedule, StepDecaysEveryThirdOfTheRunUnlessTold) {
  const ScheduleSettings settings{.kind = ScheduleKind::step};
  EXPECT_DOUBLE_EQ(learning_rate_at(settings, 1.0, 39, 10, 10), 1.0);  // a third of 10 epochs, rounded up, is 4
  EXPECT_DOUBLE_EQ(learning_rate_at(settings, 1.0, 40, 10, 10), 0.1);
  EXPECT_DOUBLE_EQ(learning_rate_at(settings, 1.0, 80, 10, 10), 0.01);
  const ScheduleSettings halving{.kind = ScheduleKind::step, .decay_every = 1, .decay_factor = 0.5};
  EXPECT_DOUBLE_EQ(learning_rate_at(halving, 1.0, 35, 10, 10), 0.125);
}

TEST(Schedule, CosineFallsFromTheRateTowardsZero) {
  const ScheduleSettings settings{.kind = ScheduleKind::cosine};
  EXPECT_DOUBLE_EQ(learning_rate_at(settings, 0.1, 0, 10, 10), 0.1);
  EXPECT_DOUBLE_EQ(learning_rate_at(settings, 0.1, 50, 10, 10), 0.05);
  EXPECT_NEAR(learning_rate_at(settings, 0.1, 99, 10, 10), 0.1 * (1 - std::cos(std::acos(-1.0) / 100)) / 2, 1e-12);
}

TEST(Schedule, CosineStartsBehindTheWarmup) {
  const ScheduleSettings settings{.kind = ScheduleKind::cosine, .warmup = 20};
  EXPECT_DOUBLE_EQ(learning_rate_at(settings, 0.1, 19, 10, 10), 0.1);
  EXPECT_DOUBLE_EQ(learning_rate_at(settings, 0.1, 20, 10, 10), 0.1);
  EXPECT_DOUBLE_EQ(learning_rate_at(settings, 0.1, 60, 10, 10), 0.05);
}

// torch.optim.lr_scheduler.OneCycleLR(SGD(lr=1.0), max_lr=1.0, total_steps=20), get_last_lr() before each step.
TEST(Schedule, OneCycleIsPyTorchs) {
  const ScheduleSettings settings{.kind = ScheduleKind::one_cycle};
  const auto at = [&](std::int64_t step) { return learning_rate_at(settings, 1.0, step, 10, 2); };
  EXPECT_NEAR(at(0), 0.040000000000000036, 1e-12);
  EXPECT_NEAR(at(1), 0.1316718427000253, 1e-12);
  EXPECT_NEAR(at(5), 1.0, 1e-12);
  EXPECT_NEAR(at(6), 0.9874640062350873, 1e-12);
  EXPECT_NEAR(at(13), 0.38874197806371075, 1e-12);
  EXPECT_NEAR(at(19), 4e-06, 1e-12);
}

TEST(Schedule, NamesAreAsTheCommandLineHasThem) {
  EXPECT_EQ(to_string(ScheduleKind::constant), "constant");
  EXPECT_EQ(to_string(ScheduleKind::one_cycle), "one-cycle");
}

}  // namespace
}  // namespace touchstone
