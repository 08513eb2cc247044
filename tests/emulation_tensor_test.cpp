// SPDX-License-Identifier: Apache-2.0
//
// The tensor cores of the emulated device: products of a warp, and what it reports.
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "emulation_support.h"

namespace touchstone::emulated {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class TensorTest : public EmulationTest {};

constexpr int rows = 16;
constexpr int columns = 8;
constexpr int terms = 8;

/// sums += left * right, [16][8] += [16][8] * [8][8], by each warp for its own matrices.
__global__ void multiply(const float* left, const float* right, float* sums) {
  const std::ptrdiff_t warp = threadIdx.x / 32;
  const float* a = left + warp * rows * terms;
  const float* b = right + warp * terms * columns;
  float* c = sums + warp * rows * columns;
  const int line = static_cast<int>(threadIdx.x) % 32 / 4;
  const int term = static_cast<int>(threadIdx.x) % 4;
  const float of_rows[4] = {a[line * terms + term], a[(line + 8) * terms + term], a[line * terms + term + 4],
                            a[(line + 8) * terms + term + 4]};
  const float of_columns[2] = {b[term * columns + line], b[(term + 4) * columns + line]};
  const auto place = [=](int i) { return (line + i / 2 * 8) * columns + 2 * term + i % 2; };
  float own[4] = {c[place(0)], c[place(1)], c[place(2)], c[place(3)]};
  emulation::multiply_tf32({"here", 1}, own, of_rows, of_columns);
  for (int i = 0; i < 4; ++i) c[place(i)] = own[i];
}

/// Small whole numbers, no two neighbours alike.
std::vector<float> numbers(int count, int seed) {
  std::vector<float> values;
  for (int i = 0; i < count; ++i) values.push_back(static_cast<float>((i * 7 + seed * 13) % 23 - 11));
  return values;
}

TEST_F(TensorTest, AWarpMultipliesMatricesAndAddsThem) {
  constexpr int warps = 2;
  const std::vector<float> left = numbers(warps * rows * terms, 1);
  const std::vector<float> right = numbers(warps * terms * columns, 2);
  const std::vector<float> before = numbers(warps * rows * columns, 3);
  for (const emulation::Options& options : emulation::standard_schedules) {
    start_over(options);
    const DeviceArray<float> a(left);
    const DeviceArray<float> b(right);
    const DeviceArray<float> c(before);
    launch(multiply, 1, 32 * warps, 0, nullptr, a.data(), b.data(), c.data());
    const std::vector<float> sums = c.read();
    for (std::size_t line = 0; line < std::size_t{warps} * rows; ++line) {
      for (std::size_t column = 0; column < columns; ++column) {
        float expected = before[line * columns + column];
        for (std::size_t term = 0; term < terms; ++term) {
          expected += left[line * terms + term] * right[(line / rows * terms + term) * columns + column];
        }
        ASSERT_EQ(sums[line * columns + column], expected) << line << ", " << column;
      }
    }
  }
}

TEST_F(TensorTest, RoundsToElevenBitsAndAwayFromZeroInTheMiddle) {
  using emulation::round_to_tf32;
  EXPECT_EQ(round_to_tf32(1.0F), 1.0F);
  EXPECT_EQ(round_to_tf32(1.0F + 0x1p-10F), 1.0F + 0x1p-10F);
  EXPECT_EQ(round_to_tf32(1.0F + 0x1p-11F), 1.0F + 0x1p-10F);
  EXPECT_EQ(round_to_tf32(-1.0F - 0x1p-11F), -1.0F - 0x1p-10F);
  EXPECT_EQ(round_to_tf32(1.0F + 0x1p-11F - 0x1p-23F), 1.0F);
  EXPECT_EQ(round_to_tf32(-1.0F - 0x1p-11F + 0x1p-23F), -1.0F);
  EXPECT_EQ(round_to_tf32(2.0F - 0x1p-23F), 2.0F) << "the carry reaches the exponent";
  EXPECT_EQ(round_to_tf32(0.0F), 0.0F);
  EXPECT_EQ(round_to_tf32(std::numeric_limits<float>::infinity()), std::numeric_limits<float>::infinity());
  EXPECT_EQ(round_to_tf32(-std::numeric_limits<float>::infinity()), -std::numeric_limits<float>::infinity());
  EXPECT_EQ(round_to_tf32(std::numeric_limits<float>::max()), std::numeric_limits<float>::infinity());
  for (const std::uint32_t bits : {0x7FC00000U, 0x7FC00001U, 0x7FFFFFFFU, 0xFFFFFFFFU}) {
    EXPECT_TRUE(std::isnan(round_to_tf32(std::bit_cast<float>(bits)))) << bits;
  }
}

/// The sums of one warp's product where one factor is replaced.
std::vector<float> product_with(bool of_rows, std::size_t place, float factor) {
  std::vector<float> left = numbers(rows * terms, 1);
  std::vector<float> right = numbers(terms * columns, 2);
  (of_rows ? left : right).at(place) = factor;
  const DeviceArray<float> a(left);
  const DeviceArray<float> b(right);
  const DeviceArray<float> c(numbers(rows * columns, 3));
  launch(multiply, 1, 32, 0, nullptr, a.data(), b.data(), c.data());
  return c.read();
}

TEST_F(TensorTest, AFactorWithMoreBitsIsReported) {
  for (const bool of_rows : {true, false}) {
    start_over();
    EXPECT_THAT(error_of([&] { product_with(of_rows, 61, 1.0F + 0x1p-12F); }),
                AllOf(HasSubstr("multiply"), HasSubstr("1.00024414, which is no TF32 number")));
    start_over();
    EXPECT_EQ(error_of([&] { product_with(of_rows, 61, 1.0F + 0x1p-10F); }), "");
  }
}

TEST_F(TensorTest, NotANumberReachesTheSumsOfItsRowAlone) {
  const std::vector<float> sums = product_with(true, 3 * terms + 5, std::bit_cast<float>(0x7FC00001U));
  for (int i = 0; i < rows * columns; ++i) {
    EXPECT_EQ(std::isnan(sums[static_cast<std::size_t>(i)]), i / columns == 3) << i;
  }
}

__global__ void come_in_part(unsigned coming) {
  const float of_rows[4] = {1, 1, 1, 1};
  const float of_columns[2] = {1, 1};
  float own[4] = {};
  if (threadIdx.x < coming) emulation::multiply_tf32({"here", 2}, own, of_rows, of_columns);
}

TEST_F(TensorTest, LanesThatEndWithoutComingAreReported) {
  for (const emulation::Options& options : emulation::standard_schedules) {
    start_over(options);
    launch(come_in_part, 1, 32, 0, nullptr, 31U);
    EXPECT_THAT(error_of(synchronise),
                AllOf(HasSubstr("come_in_part"), HasSubstr("multiply_tf32(0xffffffff) at here:2"), HasSubstr("ended")));
  }
}

TEST_F(TensorTest, LanesThatTheBlockDoesNotHaveAreReported) {
  launch(come_in_part, 1, 40, 0, nullptr, 40U);
  EXPECT_THAT(error_of(synchronise), AllOf(HasSubstr("names lanes 0xffffff00"), HasSubstr("never were")));
}

__global__ void wait_elsewhere(bool at_barrier) {
  const float of_rows[4] = {1, 1, 1, 1};
  const float of_columns[2] = {1, 1};
  float own[4] = {};
  if (threadIdx.x < 16) {
    emulation::multiply_tf32({"here", 3}, own, of_rows, of_columns);
  } else if (at_barrier) {
    __syncthreads();
  } else {
    __syncwarp();
  }
}

TEST_F(TensorTest, LanesThatWaitElsewhereAreReported) {
  for (const emulation::Options& options : emulation::standard_schedules) {
    for (const bool at_barrier : {true, false}) {
      start_over(options);
      launch(wait_elsewhere, 1, 32, 0, nullptr, at_barrier);
      EXPECT_THAT(error_of(synchronise),
                  AllOf(HasSubstr("wait_elsewhere"), HasSubstr("multiply_tf32(0xffffffff) at here:3")));
    }
  }
}

}  // namespace
}  // namespace touchstone::emulated
