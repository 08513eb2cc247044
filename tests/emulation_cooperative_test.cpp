// SPDX-License-Identifier: Apache-2.0
//
// Cooperative launches on the emulated device: all blocks under way at a time, meeting at barriers of the grid.
#include <vector>

#include "emulation_support.h"
#include "kernels/grid_barrier.h"
#include "kernels/shared_memory.h"

namespace touchstone::emulated {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class CooperativeTest : public EmulationTest {
 protected:
  static std::string report() { return error_of(synchronise); }
};

// Each round, every thread takes its new value from a thread of another block.
__global__ void rotate(unsigned* count, int rounds, int* values, int* next) {
  GridBarrier barrier(count);
  const int threads = static_cast<int>(gridDim.x * blockDim.x);
  const int self = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  for (int round = 0; round < rounds; ++round) {
    next[self] = values[(self + static_cast<int>(blockDim.x)) % threads] + 1;
    barrier.arrive();
    barrier.wait();
    values[self] = next[self];
    barrier.arrive();
    barrier.wait();
  }
}

TEST_F(CooperativeTest, BlocksMeetUnderEverySchedule) {
  constexpr int blocks = 7;
  constexpr int threads = 40;
  constexpr int rounds = 3;
  std::vector<int> start;
  std::vector<int> expected;
  for (int i = 0; i < blocks * threads; ++i) {
    start.push_back(1000 * i);
    expected.push_back(1000 * ((i + rounds * threads) % (blocks * threads)) + rounds);
  }
  for (const emulation::Options& options : emulation::standard_schedules) {
    start_over(options);
    const DeviceArray<unsigned> count(std::vector<unsigned>{0});
    const DeviceArray<int> values(start);
    const DeviceArray<int> next(start.size());
    launch_cooperative(rotate, blocks, threads, 0, nullptr, count.data(), rounds, values.data(), next.data());
    EXPECT_EQ(values.read(), expected) << emulation::to_string(options.schedule);
  }
}

// Shared memory and the values of a block's threads are their own while other blocks run.
__global__ void keep_shared(unsigned* count, int* output) {
  SharedMemory shared;
  int* kept = shared.take<int>(blockDim.x);
  kept[threadIdx.x] = static_cast<int>(100 * blockIdx.x + threadIdx.x);
  GridBarrier barrier(count);
  barrier.arrive();
  barrier.wait();
  output[blockIdx.x * blockDim.x + threadIdx.x] = kept[blockDim.x - 1 - threadIdx.x];
}

TEST_F(CooperativeTest, SharedMemoryOutlivesABarrierOfTheGrid) {
  const DeviceArray<unsigned> count(std::vector<unsigned>{0});
  const DeviceArray<int> output(5 * 33);
  launch_cooperative(keep_shared, 5, 33, SharedLayout().take<int>(33).bytes(), nullptr, count.data(), output.data());
  const std::vector<int> read = output.read();
  for (int block = 0; block < 5; ++block) {
    for (int thread = 0; thread < 33; ++thread) {
      EXPECT_EQ(read[static_cast<std::size_t>(block * 33 + thread)], 100 * block + 32 - thread);
    }
  }
}

TEST_F(CooperativeTest, ABarrierOfTheGridNeedsACooperativeLaunch) {
  const DeviceArray<unsigned> count(std::vector<unsigned>{0});
  const DeviceArray<int> output(2);
  launch(keep_shared, 2, 1, SharedLayout().take<int>(1).bytes(), nullptr, count.data(), output.data());
  EXPECT_THAT(report(), AllOf(HasSubstr("keep_shared"), HasSubstr("the launch is not cooperative")));
}

__global__ void leave_early(unsigned* count, unsigned leaving) {
  if (blockIdx.x == leaving) {
    return;
  }
  GridBarrier barrier(count);
  barrier.arrive();
  barrier.wait();
}

TEST_F(CooperativeTest, ABlockThatNeverComes) {
  for (const emulation::Options& options : emulation::standard_schedules) {
    start_over(options);
    const DeviceArray<unsigned> count(std::vector<unsigned>{0});
    launch_cooperative(leave_early, 4, 40, 0, nullptr, count.data(), 2U);
    EXPECT_THAT(report(), AllOf(HasSubstr("leave_early"), HasSubstr("divergent barrier of the grid"),
                                HasSubstr("block 2 has ended")));
  }
}

__global__ void fail_behind(unsigned* count, int* output) {
  GridBarrier barrier(count);
  barrier.arrive();
  barrier.wait();
  output[blockIdx.x == 1 ? 1 << 20 : 0] = 1;
}

TEST_F(CooperativeTest, ADefectBehindABarrierIsReportedWithItsBlock) {
  const DeviceArray<unsigned> count(std::vector<unsigned>{0});
  const DeviceArray<int> output(1);
  launch_cooperative(fail_behind, 3, 2, 0, nullptr, count.data(), output.data());
  EXPECT_THAT(report(), AllOf(HasSubstr("cudaErrorIllegalAddress"), HasSubstr("block (1,0,0)")));
}

TEST_F(CooperativeTest, MoreBlocksThanTheDeviceHoldsAreRefused) {
  const DeviceArray<unsigned> count(std::vector<unsigned>{0});
  int multiprocessors = 0;
  check(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, 0), "cudaDeviceGetAttribute");
  const int most = multiprocessors * resident_blocks(leave_early, 512, 0);
  launch_cooperative(leave_early, static_cast<unsigned>(most), 512, 0, nullptr, count.data(), 1U << 31U);
  EXPECT_EQ(report(), "");
  EXPECT_THAT(error_of([&] {
                launch_cooperative(leave_early, static_cast<unsigned>(most) + 1, 512, 0, nullptr, count.data(),
                                   1U << 31U);
              }),
              AllOf(HasSubstr("cudaErrorCooperativeLaunchTooLarge"), HasSubstr("holds 16 of them")));
}

TEST_F(CooperativeTest, ACooperativeLaunchIsReplayedByAGraph) {
  const DeviceArray<unsigned> count(std::vector<unsigned>{0});
  const DeviceArray<int> values(std::vector<int>{5, 6});
  const DeviceArray<int> next(2);
  cudaStream_t stream = nullptr;
  check(cudaStreamCreate(&stream), "cudaStreamCreate");
  check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
  launch_cooperative(rotate, 2, 1, 0, stream, count.data(), 1, values.data(), next.data());
  cudaGraph_t graph = nullptr;
  check(cudaStreamEndCapture(stream, &graph), "cudaStreamEndCapture");
  cudaGraphExec_t executable = nullptr;
  check(cudaGraphInstantiate(&executable, graph), "cudaGraphInstantiate");
  check(cudaGraphLaunch(executable, stream), "cudaGraphLaunch");
  check(cudaGraphLaunch(executable, stream), "cudaGraphLaunch");
  check(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
  EXPECT_EQ(values.read(), (std::vector<int>{7, 8}));
}

}  // namespace
}  // namespace touchstone::emulated
