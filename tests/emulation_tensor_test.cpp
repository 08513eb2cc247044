// SPDX-License-Identifier: Apache-2.0
//
// The tensor cores of the emulated device: products of a warp, and what it reports.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

#include "emulation_support.h"
#include "kernels/tensor_core.h"
#include "touchstone/random.h"

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
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const int warp = static_cast<int>(threadIdx.x) / 32;
  const float* a = left + warp * rows * terms;
  const float* b = right + warp * terms * columns;
  float* c = sums + warp * rows * columns;
  const int line = lane / 4;
  const int term = lane % 4;
  const float of_rows[4] = {a[line * terms + term], a[(line + 8) * terms + term], a[line * terms + term + 4],
                            a[(line + 8) * terms + term + 4]};
  const float of_columns[2] = {b[term * columns + line], b[(term + 4) * columns + line]};
  float* const places[4] = {c + line * columns + 2 * term, c + line * columns + 2 * term + 1,
                            c + (line + 8) * columns + 2 * term, c + (line + 8) * columns + 2 * term + 1};
  float own[4] = {*places[0], *places[1], *places[2], *places[3]};
  emulation::multiply_tf32({"here", 1}, own, of_rows, of_columns);
  for (int i = 0; i < 4; ++i) *places[i] = own[i];
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
    for (int warp = 0; warp < warps; ++warp) {
      for (int row = 0; row < rows; ++row) {
        for (int column = 0; column < columns; ++column) {
          const auto place = static_cast<std::size_t>((warp * rows + row) * columns + column);
          float expected = before[place];
          for (int term = 0; term < terms; ++term) {
            expected += left[static_cast<std::size_t>((warp * rows + row) * terms + term)] *
                        right[static_cast<std::size_t>((warp * terms + term) * columns + column)];
          }
          ASSERT_EQ(sums[place], expected) << warp << ", " << row << ", " << column;
        }
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
  EXPECT_EQ(round_to_tf32(1.0F + 0x1p-12F), 1.0F);
  EXPECT_EQ(round_to_tf32(2.0F - 0x1p-23F), 2.0F) << "the carry reaches the exponent";
  EXPECT_EQ(round_to_tf32(0.0F), 0.0F);
  EXPECT_EQ(round_to_tf32(std::numeric_limits<float>::infinity()), std::numeric_limits<float>::infinity());
  EXPECT_EQ(round_to_tf32(std::numeric_limits<float>::max()), std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(round_to_tf32(std::numeric_limits<float>::quiet_NaN())));
}

TEST_F(TensorTest, AFactorWithMoreBitsIsReported) {
  std::vector<float> left = numbers(rows * terms, 1);
  left[77] = 1.0F + 0x1p-12F;
  const DeviceArray<float> a(left);
  const DeviceArray<float> b(numbers(terms * columns, 2));
  const DeviceArray<float> c(numbers(rows * columns, 3));
  launch(multiply, 1, 32, 0, nullptr, a.data(), b.data(), c.data());
  EXPECT_THAT(error_of([] { check(cudaDeviceSynchronize(), "cudaDeviceSynchronize"); }),
              AllOf(HasSubstr("multiply"), HasSubstr("1.00024414, which is no TF32 number")));
}

__global__ void half_of_a_warp(float* sums) {
  const float of_rows[4] = {1, 1, 1, 1};
  const float of_columns[2] = {1, 1};
  float own[4] = {};
  if (threadIdx.x < 16) emulation::multiply_tf32({"here", 2}, own, of_rows, of_columns);
  sums[threadIdx.x] = own[0];
}

TEST_F(TensorTest, AWarpOfWhichHalfComesIsReported) {
  const DeviceArray<float> sums(32);
  launch(half_of_a_warp, 1, 32, 0, nullptr, sums.data());
  EXPECT_THAT(error_of([] { check(cudaDeviceSynchronize(), "cudaDeviceSynchronize"); }),
              AllOf(HasSubstr("multiply_tf32"), HasSubstr("here:2")));
}

/// sums = left * right, [16][8] of `count` terms, of floats in two parts.
__global__ void multiply_floats(const float* left, const float* right, int count, float* sums) {
  const int line = static_cast<int>(threadIdx.x) / 4;
  const int term = static_cast<int>(threadIdx.x) % 4;
  TensorSums own = {};
  for (int first = 0; first < count; first += terms) {
    TensorRows of_rows;
    TensorColumn of_column;
    for (int i = 0; i < 4; ++i) {
      const SplitFloat parts = split(left[(line + i % 2 * 8) * count + first + term + i / 2 * 4]);
      of_rows.high[i] = parts.high;
      of_rows.low[i] = parts.low;
    }
    for (int i = 0; i < 2; ++i) {
      const SplitFloat parts = split(right[line * count + first + term + i * 4]);
      of_column.high[i] = parts.high;
      of_column.low[i] = parts.low;
    }
    add_tensor_product(own, of_rows, of_column);
  }
  for (int i = 0; i < 4; ++i) sums[(line + i / 2 * 8) * columns + 2 * term + i % 2] = own[i];
}

std::vector<float> random_floats(std::size_t count, std::uint64_t seed) {
  std::vector<float> values;
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::uint32_t word = random_word(seed, RandomPurpose::check, 0, i);
    values.push_back(static_cast<float>(word) * 0x1p-31F - 1.0F);
  }
  return values;
}

TEST_F(TensorTest, SumsOfFloatsAreWithinTheBoundThatCheckAllows) {
  constexpr double unit = 0x1p-24;
  double worst = 0;
  for (const int count : {8, 40, 200}) {
    const std::vector<float> left = random_floats(static_cast<std::size_t>(rows * count), 1);
    const std::vector<float> right = random_floats(static_cast<std::size_t>(columns * count), 2);
    const DeviceArray<float> a(left);
    const DeviceArray<float> b(right);
    const DeviceArray<float> c(rows * columns);
    launch(multiply_floats, 1, 32, 0, nullptr, a.data(), b.data(), count, c.data());
    const std::vector<float> sums = c.read();
    for (int i = 0; i < rows * columns; ++i) {
      double expected = 0;
      double magnitude = 0;
      for (int term = 0; term < count; ++term) {
        const double product = static_cast<double>(left[static_cast<std::size_t>(i / columns * count + term)]) *
                               right[static_cast<std::size_t>(i % columns * count + term)];
        expected += product;
        magnitude += std::abs(product);
      }
      const double error = std::abs(sums[static_cast<std::size_t>(i)] - expected);
      EXPECT_LE(error, (2 * count + 16) * unit * magnitude) << count << " terms, " << i;
      worst = std::max(worst, error / magnitude);
    }
  }
  EXPECT_LT(worst, 0x1p-20) << "TF32 alone is off by 2^-12 and more";
}

TEST_F(TensorTest, TwoPartsHoldAFloatToTwentyTwoBits) {
  for (const float value : random_floats(1000, 3)) {
    const SplitFloat parts = split(value);
    EXPECT_LE(std::abs(static_cast<double>(value) - parts.high - parts.low), 0x1p-22 * std::abs(value)) << value;
    EXPECT_EQ(emulation::round_to_tf32(parts.high), parts.high);
    EXPECT_EQ(emulation::round_to_tf32(parts.low), parts.low);
  }
}

}  // namespace
}  // namespace touchstone::emulated
