// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

#include "tests/cpu_test_support.h"
#include "touchstone/gather.h"

namespace touchstone {
namespace {

TEST(CpuGather, PicksTheVeryValuesOfTheReference) {
  test::Draws draws(1);
  const PixelScale scale{.scale = draws.real(), .shift = draws.real()};
  for (const std::int64_t image_size : {1, 7, 16, 33, 784}) {
    constexpr std::int64_t count = 20;
    std::vector<std::uint8_t> pixels;
    for (std::int64_t i = 0; i < count * image_size; ++i) {
      pixels.push_back(static_cast<std::uint8_t>(draws.between(0, 255)));
    }
    std::vector<std::uint8_t> labels;
    for (std::int64_t i = 0; i < count; ++i) {
      labels.push_back(static_cast<std::uint8_t>(draws.between(0, 9)));
    }
    for (const std::int64_t batch : {0, 1, 5, 31}) {
      std::vector<std::uint32_t> indices;
      for (std::int64_t b = 0; b < batch; ++b) {
        indices.push_back(static_cast<std::uint32_t>(draws.between(0, count - 1)));
      }
      const GatherShape shape{.batch = batch, .image_size = image_size};
      std::vector<double> expected(static_cast<std::size_t>(batch * image_size));
      std::vector<std::uint8_t> expected_labels(static_cast<std::size_t>(batch));
      reference::gather(shape, pixels.data(), labels.data(), indices.data(), scale, expected.data(),
                        expected_labels.data());
      test::for_each_instruction_set([&] {
        test::PoisonedOutput<float> images(batch * image_size);
        test::PoisonedOutput<std::uint8_t> batch_labels(batch);
        cpu::gather(shape, pixels.data(), labels.data(), indices.data(), scale, images.data(), batch_labels.data());
        EXPECT_EQ(test::widened(images.values()), expected);
        EXPECT_EQ(batch_labels.values(), expected_labels);
      });
    }
  }
}

}  // namespace
}  // namespace touchstone
