// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "tests/cpu_test_support.h"
#include "touchstone/half_squared_error.h"

namespace touchstone {
namespace {

struct Rows {
  HalfSquaredErrorShape shape;
  std::vector<float> outputs;
  std::vector<float> targets;
};

/// Shapes around the sizes of vectors; small integers, so that every sum is exact.
std::vector<Rows> all_rows() {
  test::Draws draws(1);
  std::vector<Rows> all;
  for (const std::int64_t elements : {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 100, 784}) {
    const HalfSquaredErrorShape shape{.batch = draws.between(0, 9), .elements = elements};
    all.push_back({shape, draws.integers(shape.count(), 20), draws.integers(shape.count(), 20)});
  }
  return all;
}

TEST(HalfSquaredErrorCpu, IsExactOnIntegersWithEachInstructionSet) {
  constexpr float scale = 0.125F;
  for (const Rows& rows : all_rows()) {
    SCOPED_TRACE(rows.shape.elements);
    std::vector<double> losses(static_cast<std::size_t>(rows.shape.batch));
    std::vector<double> gradient(rows.outputs.size());
    reference::half_squared_error(rows.shape, test::widened(rows.outputs).data(), test::widened(rows.targets).data(),
                                  scale, losses.data(), gradient.data());
    test::for_each_instruction_set([&] {
      test::PoisonedOutput<float> got_losses(rows.shape.batch);
      test::PoisonedOutput<float> got_gradient(rows.shape.count());
      cpu::half_squared_error(rows.shape, rows.outputs.data(), rows.targets.data(), scale, got_losses.data(),
                              got_gradient.data());
      EXPECT_EQ(test::widened(got_losses.values()), losses);
      EXPECT_EQ(test::widened(got_gradient.values()), gradient);
    });
  }
}

}  // namespace
}  // namespace touchstone
