// SPDX-License-Identifier: Apache-2.0
#include "touchstone/drift.h"

#include <vector>

#include <gtest/gtest.h>

#include "host/cpu/gaussian_operations.h"
#include "tests/gaussian_samples.h"
#include "touchstone/error.h"

namespace touchstone {
namespace {

const std::vector<std::string> names = {"A", "B"};

/// Draws of N(shift, I) in three dimensions.
std::vector<double> draws(double shift, std::int64_t count, std::uint64_t seed) {
  return Gaussian({shift, shift, shift}, {1, 0, 0, 0, 1, 0, 0, 0, 1}).sample(count, seed);
}

DriftReport measure(const std::vector<double>& reference, const std::vector<double>& against,
                    const DriftSettings& settings = {}) {
  return measure_drift(*cpu::make_gaussian_operations(1), 3, reference, against, settings, names);
}

TEST(DriftTest, TheSameDataDoNotDrift) {
  const std::vector<double> reference = draws(0, 200, 1);
  const DriftReport report = measure(reference, reference);
  EXPECT_EQ(report.kl, 0);
  EXPECT_EQ(report.p_value, 1);
  EXPECT_FALSE(report.drift);
  EXPECT_LE(report.chance_low, report.chance_mean);
  EXPECT_LE(report.chance_mean, report.chance_high);
  EXPECT_GT(report.chance_low, 0);
}

TEST(DriftTest, AShiftIsFound) {
  const DriftReport report = measure(draws(0, 300, 1), draws(0.5, 200, 2));
  EXPECT_TRUE(report.drift);
  EXPECT_EQ(report.p_value, 0.01);
  EXPECT_GT(report.kl, report.chance_high);
  EXPECT_GT(report.reverse_kl, 0);
}

TEST(DriftTest, WithoutDriftTheLevelIsKept) {
  // With 19 permutations p is at most 0.05 in one of 20 cases; of 200, more than 22 have a chance below 0.0001.
  DriftSettings settings;
  settings.permutations = 19;
  int found = 0;
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    settings.seed = seed;
    found += measure(draws(0, 40, 2 * seed), draws(0, 30, 2 * seed + 1), settings).drift ? 1 : 0;
  }
  EXPECT_LE(found, 22);
  EXPECT_GE(found, 1);
}

TEST(DriftTest, TheSameSeedTheSameReport) {
  const std::vector<double> reference = draws(0, 50, 1);
  const std::vector<double> against = draws(0.1, 50, 2);
  DriftSettings other;
  other.seed = 2;
  EXPECT_EQ(measure(reference, against).chance_mean, measure(reference, against).chance_mean);
  EXPECT_NE(measure(reference, against).chance_mean, measure(reference, against, other).chance_mean);
}

TEST(DriftTest, SettingsOutOfRangeAreRefused) {
  const std::vector<double> reference = draws(0, 50, 1);
  DriftSettings settings;
  settings.permutations = 18;
  EXPECT_THROW(measure(reference, reference, settings), UsageError);
  settings.level = 0;
  EXPECT_THROW(measure(reference, reference, settings), UsageError);
}

}  // namespace
}  // namespace touchstone
