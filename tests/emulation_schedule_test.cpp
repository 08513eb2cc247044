// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <set>

#include "emulation/turn_order.h"
#include "emulation_support.h"
#include "kernels/shared_memory.h"
#include "kernels/vector_access.h"

namespace touchstone::emulated {
namespace {

constexpr int block_threads = 96;

std::vector<float> counting(std::size_t count) {
  std::vector<float> values(count);
  std::iota(values.begin(), values.end(), 1.0F);
  return values;
}

/// What `kernel` makes of counting numbers under each of the standard schedules, as bits.
std::vector<std::vector<std::uint32_t>> bits_by_schedule(void (*kernel)(const float*, float*), unsigned blocks,
                                                         std::size_t shared_bytes) {
  std::vector<std::vector<std::uint32_t>> results;
  for (const emulation::Options& options : emulation::standard_schedules) {
    emulation::reset();
    emulation::configure(options);
    const std::size_t count = std::size_t{blocks} * block_threads;
    const DeviceArray<float> input(counting(count));
    const DeviceArray<float> output(count);
    launch(kernel, blocks, block_threads, shared_bytes, nullptr, input.data(), output.data());
    std::vector<std::uint32_t>& bits = results.emplace_back();
    for (const float value : output.read()) {
      bits.push_back(std::bit_cast<std::uint32_t>(value));
    }
  }
  return results;
}

bool all_equal(const std::vector<std::vector<std::uint32_t>>& results) {
  return std::all_of(results.begin(), results.end(), [&](const auto& result) { return result == results.front(); });
}

class ScheduleTest : public EmulationTest {};

/// Reverses each block's numbers, through shared memory; correct.
template <bool with_barrier>
__global__ void reverse(const float* input, float* output) {
  SharedMemory shared;
  auto* const tile = shared.take<float>(block_threads);
  const unsigned first = blockIdx.x * blockDim.x;
  tile[threadIdx.x] = input[first + threadIdx.x];
  if constexpr (with_barrier) {
    __syncthreads();
  }
  output[first + threadIdx.x] = tile[blockDim.x - 1 - threadIdx.x];
}

constexpr std::size_t tile_bytes = SharedLayout().take<float>(block_threads).bytes();

TEST_F(ScheduleTest, KernelWithItsBarrierGivesTheSameBitsUnderEverySchedule) {
  const auto results = bits_by_schedule(reverse<true>, 5, tile_bytes);
  EXPECT_TRUE(all_equal(results));
  EXPECT_EQ(results[0][0], std::bit_cast<std::uint32_t>(96.0F));
}

TEST_F(ScheduleTest, RemovedBarrierShowsAsADifference) {
  EXPECT_FALSE(all_equal(bits_by_schedule(reverse<false>, 5, tile_bytes)));
}

/// Neighbouring sums, twice: the barrier between reading and overwriting the tile is the one that is easily forgotten.
template <bool with_barrier>
__global__ void smooth_twice(const float* input, float* output) {
  SharedMemory shared;
  auto* const tile = shared.take<float>(block_threads);
  const unsigned thread = threadIdx.x;
  const unsigned next = (thread + 1) % blockDim.x;
  tile[thread] = input[blockIdx.x * blockDim.x + thread];
  __syncthreads();
  const float once = tile[thread] + tile[next];
  if constexpr (with_barrier) {
    __syncthreads();
  }
  tile[thread] = once;
  __syncthreads();
  output[blockIdx.x * blockDim.x + thread] = tile[thread] + tile[next];
}

TEST_F(ScheduleTest, RemovedBarrierBeforeOverwritingShowsAsADifference) {
  EXPECT_TRUE(all_equal(bits_by_schedule(smooth_twice<true>, 3, tile_bytes)));
  EXPECT_FALSE(all_equal(bits_by_schedule(smooth_twice<false>, 3, tile_bytes)));
}

/// A sum over each warp through shared memory, as was safe before lanes could run apart.
template <bool with_barrier>
__global__ void warp_sums(const float* input, float* output) {
  SharedMemory shared;
  auto* const tile = shared.take<float>(block_threads);
  const unsigned thread = threadIdx.x;
  const unsigned lane = thread % 32;
  tile[thread] = input[thread];
  for (unsigned half = 16; half > 0; half /= 2) {
    if constexpr (with_barrier) {
      __syncwarp();
    }
    const float other = lane < half ? tile[thread + half] : 0.0F;
    if constexpr (with_barrier) {
      __syncwarp();
    }
    tile[thread] += other;
  }
  output[thread] = tile[thread - lane];
}

TEST_F(ScheduleTest, RelianceOnLanesInLockstepShowsAsADifference) {
  EXPECT_FALSE(all_equal(bits_by_schedule(warp_sums<false>, 1, tile_bytes)));
}

__global__ void sum_by_shuffles(const float* input, float* output) {
  float sum = input[threadIdx.x];
  for (int lanes = 16; lanes > 0; lanes /= 2) {
    sum += __shfl_xor_sync(0xFFFFFFFFU, sum, lanes);
  }
  output[threadIdx.x] = sum;
}

TEST_F(ScheduleTest, ShufflesExchangeBetweenLanes) {
  const auto results = bits_by_schedule(sum_by_shuffles, 1, 0);
  EXPECT_TRUE(all_equal(results));
  for (int warp = 0; warp < 3; ++warp) {
    const auto sum = static_cast<float>(32 * (64 * warp + 33) / 2);
    EXPECT_EQ(results[0][static_cast<std::size_t>(32 * warp + 7)], std::bit_cast<std::uint32_t>(sum));
  }
}

/// Sums up a tile of which the last element is never written.
__global__ void sum_uninitialised(const float* input, float* output) {
  SharedMemory shared;
  auto* const tile = shared.take<float>(block_threads + 1);
  tile[threadIdx.x] = input[threadIdx.x];
  __syncthreads();
  output[threadIdx.x] = tile[threadIdx.x] + tile[threadIdx.x + 1];
}

TEST_F(ScheduleTest, ReadOfUninitialisedSharedMemoryShowsAsADifference) {
  EXPECT_FALSE(
      all_equal(bits_by_schedule(sum_uninitialised, 1, SharedLayout().take<float>(block_threads + 1).bytes())));
}

__global__ void add_to_output(const float* input, float* output) { output[threadIdx.x] += input[threadIdx.x]; }

TEST_F(ScheduleTest, ReadOfUninitialisedDeviceMemoryShowsAsADifference) {
  EXPECT_FALSE(all_equal(bits_by_schedule(add_to_output, 1, 0)));
}

/// Each block adds to what the block before it has written: no order of blocks is promised.
__global__ void chain_of_blocks(const float* input, float* output) {
  const unsigned at = blockIdx.x * blockDim.x + threadIdx.x;
  output[at] = input[at] + (blockIdx.x == 0 ? 0.0F : output[at - blockDim.x]);
}

TEST_F(ScheduleTest, RelianceOnTheOrderOfBlocksShowsAsADifference) {
  EXPECT_FALSE(all_equal(bits_by_schedule(chain_of_blocks, 16, 0)));
}

__global__ void atomic_histogram(const float* input, float* output) {
  SharedMemory shared;
  auto* const bins = shared.take<int>(4);
  if (threadIdx.x < 4) {
    bins[threadIdx.x] = 0;
  }
  __syncthreads();
  atomicAdd(&bins[static_cast<int>(input[threadIdx.x]) % 4], 1);
  __syncthreads();
  output[threadIdx.x] = static_cast<float>(bins[threadIdx.x % 4]);
}

TEST_F(ScheduleTest, IntegerAtomicsAreIndependentOfTheOrder) {
  const auto results = bits_by_schedule(atomic_histogram, 1, SharedLayout().take<int>(4).bytes());
  EXPECT_TRUE(all_equal(results));
  EXPECT_EQ(results[0][0], std::bit_cast<std::uint32_t>(24.0F));
}

/// Notes, for each thread, how many had run before it since the kernel began.
__global__ void note_turn(int* counter, int* turns) {
  turns[threadIdx.x] = atomicAdd(counter, 1);
  __syncwarp();
  turns[blockDim.x + threadIdx.x] = atomicAdd(counter, 1);
}

std::vector<int> turns_under(emulation::Schedule schedule) {
  emulation::reset();
  emulation::configure({.schedule = schedule});
  const DeviceArray<int> counter(std::vector<int>{0});
  const DeviceArray<int> turns(2 * 64);
  launch(note_turn, 1, 64, 0, nullptr, counter.data(), turns.data());
  return turns.read();
}

TEST_F(ScheduleTest, ThreadsTakeTurnsInTheOrderOfTheSchedule) {
  const std::vector<int> ascending = turns_under(emulation::Schedule::ascending);
  const std::vector<int> descending = turns_under(emulation::Schedule::descending);
  const std::vector<int> by_warp = turns_under(emulation::Schedule::by_warp);
  for (int thread = 0; thread < 64; ++thread) {
    const auto at = static_cast<std::size_t>(thread);
    EXPECT_EQ(ascending[at], thread);
    EXPECT_EQ(ascending[64 + at], 64 + thread);
    EXPECT_EQ(descending[at], 63 - thread);
    EXPECT_EQ(descending[64 + at], 127 - thread);
    EXPECT_EQ(by_warp[at], thread + thread / 32 * 32);
    EXPECT_EQ(by_warp[64 + at], 32 + thread + thread / 32 * 32);
  }
  const std::vector<int> random = turns_under(emulation::Schedule::random);
  EXPECT_EQ(std::set<int>(random.begin(), random.end()).size(), 128U);
  EXPECT_NE(random, ascending);
  EXPECT_EQ(random, turns_under(emulation::Schedule::random)) << "the same seed gives the same order";
}

TEST(BlockOrder, VisitsEachBlockOnce) {
  for (const emulation::Options& options : emulation::standard_schedules) {
    for (const std::uint64_t count : {1U, 2U, 3U, 12U, 97U, 1000U}) {
      std::set<std::uint64_t> seen;
      for (std::uint64_t index = 0; index < count; ++index) {
        seen.insert(emulation::block_at(options.schedule, 7, count, index));
      }
      EXPECT_EQ(seen.size(), count);
      EXPECT_EQ(*seen.rbegin(), count - 1);
    }
  }
}

__global__ void note_block(std::uint32_t* seen, std::uint32_t* coordinates) {
  const unsigned thread = threadIdx.x + blockDim.x * (threadIdx.y + blockDim.y * threadIdx.z);
  const unsigned block = blockIdx.x + gridDim.x * (blockIdx.y + gridDim.y * blockIdx.z);
  const unsigned at = block * blockDim.x * blockDim.y * blockDim.z + thread;
  atomicAdd(&seen[at], 1U);
  coordinates[at] =
      blockIdx.x + 10 * blockIdx.y + 100 * blockIdx.z + 1000 * threadIdx.x + 10000 * threadIdx.y + 100000 * threadIdx.z;
}

TEST_F(ScheduleTest, EveryThreadOfAGridRunsOnceWithItsCoordinatesOnAnyNumberOfHostThreads) {
  for (const int threads : {1, 2, 5}) {
    for (emulation::Options options : emulation::standard_schedules) {
      options.threads = threads;
      start_over(options);
      constexpr std::size_t count = 3 * 4 * 5 * 7 * 2 * 3;
      const DeviceArray<std::uint32_t> seen(std::vector<std::uint32_t>(count, 0));
      const DeviceArray<std::uint32_t> coordinates(count);
      launch(note_block, dim3(3, 4, 5), dim3(7, 2, 3), 0, nullptr, seen.data(), coordinates.data());
      EXPECT_EQ(seen.read(), std::vector<std::uint32_t>(count, 1));
      EXPECT_EQ(coordinates.read()[count - 1], 2U + 30 + 400 + 6000 + 10000 + 200000);
    }
  }
}

/// What each fill leaves in fresh memory.
__global__ void read_fresh(float* floats, int* integers) {
  SharedMemory shared;
  const auto* const fresh_floats = shared.take<float>(1);
  const auto* const fresh_integers = shared.take<int>(1);
  *floats = *fresh_floats;
  *integers = *fresh_integers;
}

TEST_F(ScheduleTest, FreshMemoryHoldsTheSchedulesPattern) {
  std::set<int> integers;
  for (const emulation::Options& options : emulation::standard_schedules) {
    start_over(options);
    const DeviceArray<float> device(1);
    const float in_device = device.read()[0];
    const DeviceArray<float> floats(1);
    const DeviceArray<int> words(1);
    launch(read_fresh, 1, 1, SharedLayout().take<float>(1).take<int>(1).bytes(), nullptr, floats.data(), words.data());
    const float in_shared = floats.read()[0];
    EXPECT_EQ(std::bit_cast<std::uint32_t>(in_device), std::bit_cast<std::uint32_t>(in_shared));
    integers.insert(words.read()[0]);
    switch (options.fill) {
      case emulation::Fill::not_a_number:
        EXPECT_TRUE(std::isnan(in_device));
        EXPECT_EQ(words.read()[0], -1);
        break;
      case emulation::Fill::infinity:
        EXPECT_TRUE(std::isinf(in_device));
        break;
      case emulation::Fill::large:
        EXPECT_EQ(in_device, 1e38F);
        break;
      case emulation::Fill::zero:
        EXPECT_EQ(in_device, 0.0F);
        break;
    }
  }
  EXPECT_EQ(integers.size(), 4U);
}

__global__ void votes(unsigned* results) {
  const unsigned thread = threadIdx.x;
  const unsigned odd = __ballot_sync(0xFFFFFFFFU, static_cast<int>(thread % 2));
  const int any = __any_sync(0xFFFFFFFFU, thread == 37);
  const int all = __all_sync(0xFFFFFFFFU, thread < 64);
  const int count = __syncthreads_count(thread % 3 == 0);
  const int some = __syncthreads_or(thread == 95);
  const int each = __syncthreads_and(thread < 95);
  if (thread % 32 == 0) {
    unsigned* const out = results + thread / 32 * 6;
    out[0] = odd;
    out[1] = static_cast<unsigned>(any);
    out[2] = static_cast<unsigned>(all);
    out[3] = static_cast<unsigned>(count);
    out[4] = static_cast<unsigned>(some);
    out[5] = static_cast<unsigned>(each);
  }
}

TEST_F(ScheduleTest, VotesCountPredicates) {
  const DeviceArray<unsigned> results(18);
  launch(votes, 1, block_threads, 0, nullptr, results.data());
  const std::vector<unsigned> expected = {0xAAAAAAAAU, 0, 1, 32,          1, 0, 0xAAAAAAAAU, 1, 1,
                                          32,          1, 0, 0xAAAAAAAAU, 0, 0, 32,          1, 0};
  EXPECT_EQ(results.read(), expected);
}

__global__ void shuffles(int* results) {
  const int lane = static_cast<int>(threadIdx.x);
  int* const out = results + lane * 6;
  out[0] = __shfl_sync(0xFFFFFFFFU, lane, 5);
  out[1] = __shfl_sync(0xFFFFFFFFU, lane, 9, 8);
  out[2] = __shfl_up_sync(0xFFFFFFFFU, lane, 3);
  out[3] = __shfl_down_sync(0xFFFFFFFFU, lane, 3, 16);
  out[4] = __shfl_xor_sync(0xFFFFFFFFU, lane, 8, 8);
  if (lane >= 16) {
    out[5] = static_cast<int>(__shfl_xor_sync(0xFFFF0000U, static_cast<double>(lane), 1));
  }
}

TEST_F(ScheduleTest, ShufflesReadTheLanesThatCudaSays) {
  const DeviceArray<int> results(32 * 6);
  launch(shuffles, 1, 32, 0, nullptr, results.data());
  const std::vector<int> read = results.read();
  for (int lane = 0; lane < 32; ++lane) {
    const int* const out = read.data() + lane * 6;
    EXPECT_EQ(out[0], 5);
    EXPECT_EQ(out[1], lane / 8 * 8 + 1);
    EXPECT_EQ(out[2], lane >= 3 ? lane - 3 : lane);
    EXPECT_EQ(out[3], lane % 16 + 3 < 16 ? lane + 3 : lane);
    EXPECT_EQ(out[4], (lane / 8) % 2 == 0 ? lane : lane - 8) << "later parts of the warp are out of reach";
    EXPECT_TRUE(lane < 16 || out[5] == (lane ^ 1));
  }
}

__global__ void copy_vectors(const float* input, float* output) {
  store4(output + 4 * threadIdx.x, load4(input + 4 * threadIdx.x));
}

TEST_F(ScheduleTest, VectorsAreCopiedWhole) {
  const DeviceArray<float> input(counting(64));
  const DeviceArray<float> output(64);
  launch(copy_vectors, 1, 16, 0, nullptr, input.data(), output.data());
  EXPECT_EQ(output.read(), counting(64));
}

__global__ void use_large_shared_memory(float* output) {
  SharedMemory shared;
  auto* const tile = shared.take<float>(16 * 1024);
  tile[16 * 1024 - 1] = 5.0F;
  *output = tile[16 * 1024 - 1];
}

TEST_F(ScheduleTest, MoreSharedMemoryIsAskedForOnTheWay) {
  const DeviceArray<float> output(1);
  launch(use_large_shared_memory, 1, 1, 64 * 1024, nullptr, output.data());
  EXPECT_EQ(output.read()[0], 5.0F);
}

}  // namespace
}  // namespace touchstone::emulated
