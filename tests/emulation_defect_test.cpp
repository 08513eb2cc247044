// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "emulation/defect.h"
#include "emulation_support.h"
#include "kernels/shared_memory.h"
#include "kernels/vector_access.h"

namespace touchstone::emulated {
namespace {

using testing::AllOf;
using testing::HasSubstr;

/// One test for each kind of defect that the emulated device reports. What shows as a difference between schedules is
/// in emulation_schedule_test.cpp.
class DefectTest : public EmulationTest {
 protected:
  /// What the next synchronisation says.
  static std::string report() { return error_of(synchronise); }
};

__global__ void barrier_for_some(int* output) {
  if (threadIdx.x < 20) {
    __syncthreads();
  }
  output[threadIdx.x] = 1;
}

TEST_F(DefectTest, BarrierThatSomeThreadsNeverReach) {
  for (const emulation::Options& options : emulation::standard_schedules) {
    start_over(options);
    const DeviceArray<int> output(40);
    launch(barrier_for_some, 2, 40, 0, nullptr, output.data());
    EXPECT_THAT(report(), AllOf(HasSubstr("cudaErrorLaunchFailure"), HasSubstr("barrier_for_some"),
                                HasSubstr("divergent barrier"), HasSubstr("emulation_defect_test.cpp:"),
                                HasSubstr("block ("), HasSubstr("thread (")));
  }
}

__global__ void two_barriers() {
  if (threadIdx.x % 2 == 0) {  // NOLINT(bugprone-branch-clone): two barriers are what is tested
    __syncthreads();
  } else {
    __syncthreads();
  }
}

TEST_F(DefectTest, ThreadsAtDifferentBarriers) {
  launch(two_barriers, 1, 32, 0, nullptr);
  EXPECT_THAT(report(), HasSubstr("divergent barrier"));
}

__global__ void mask_without_caller(int* output) {
  output[threadIdx.x] = __shfl_xor_sync(0x0000FFFFU, static_cast<int>(threadIdx.x), 1);
}

TEST_F(DefectTest, ShuffleMaskThatOmitsTheCaller) {
  const DeviceArray<int> output(32);
  launch(mask_without_caller, 1, 32, 0, nullptr, output.data());
  EXPECT_THAT(report(), AllOf(HasSubstr("__shfl_xor_sync(0x0000ffff)"), HasSubstr("does not name lane 16")));
}

__global__ void shuffle_after_return(int* output, unsigned count) {
  if (threadIdx.x >= count) {
    return;
  }
  output[threadIdx.x] = __shfl_down_sync(0xFFFFFFFFU, static_cast<int>(threadIdx.x), 1);
}

TEST_F(DefectTest, ShuffleMaskThatNamesLanesThatHaveReturned) {
  for (const emulation::Options& options : emulation::standard_schedules) {
    start_over(options);
    const DeviceArray<int> output(32);
    launch(shuffle_after_return, 1, 32, 0, nullptr, output.data(), 30U);
    EXPECT_THAT(report(), AllOf(HasSubstr("__shfl_down_sync(0xffffffff)"), HasSubstr("ended")));
  }
}

TEST_F(DefectTest, ShuffleMaskThatNamesLanesTheBlockDoesNotHave) {
  const DeviceArray<int> output(32);
  launch(shuffle_after_return, 1, 30, 0, nullptr, output.data(), 30U);
  EXPECT_THAT(report(), AllOf(HasSubstr("names lanes 0xc0000000"), HasSubstr("never were")));
}

__global__ void different_masks() {
  if (threadIdx.x < 16) {
    __syncwarp(0x0000FFFFU);
  } else {
    __syncwarp(0xFFFFFFFFU);
  }
}

TEST_F(DefectTest, LanesThatComeWithDifferentMasks) {
  launch(different_masks, 1, 32, 0, nullptr);
  EXPECT_THAT(report(), HasSubstr("__syncwarp(0x"));
}

__global__ void read_lane_outside_mask(int* output) {
  if (threadIdx.x < 4) {
    output[threadIdx.x] = __shfl_sync(0xFU, static_cast<int>(threadIdx.x), 7);
  }
}

TEST_F(DefectTest, ShuffleFromALaneOutsideTheMask) {
  const DeviceArray<int> output(32);
  launch(read_lane_outside_mask, 1, 32, 0, nullptr, output.data());
  EXPECT_THAT(report(), HasSubstr("reads lane 7, which the mask does not name"));
}

__global__ void barrier_against_shuffle() {
  if (threadIdx.x < 32) {  // NOLINT(bugprone-branch-clone): two barriers are what is tested
    __syncthreads();
  } else if (threadIdx.x < 63) {
    __syncwarp();
  } else {
    __syncthreads();
  }
}

TEST_F(DefectTest, ThreadsThatWaitForEachOther) {
  launch(barrier_against_shuffle, 1, 64, 0, nullptr);
  EXPECT_THAT(report(), testing::AnyOf(HasSubstr("wait for each other"), HasSubstr("divergent barrier")));
}

__global__ void load_vector_at(const float* input, float* output, int offset) { store4(output, load4(input + offset)); }

TEST_F(DefectTest, MisalignedVectorAccess) {
  const DeviceArray<float> input(std::vector<float>(64, 1.0F));
  const DeviceArray<float> output(64);
  launch(load_vector_at, 1, 1, 0, nullptr, input.data(), output.data(), 4);
  EXPECT_EQ(report(), "");
  launch(load_vector_at, 1, 1, 0, nullptr, input.data(), output.data(), 1);
  EXPECT_THAT(report(), AllOf(HasSubstr("cudaErrorMisalignedAddress"), HasSubstr("16 bytes at"),
                              HasSubstr("4 bytes into the 256 bytes allocated")));
}

__global__ void store_at(float* output, std::int64_t offset, float value) { output[offset] = value; }

/// Expects the report of what `action` starts. Under the sanitizers these are first to see it (guard bands are poisoned
/// for AddressSanitizer), and their own report, which holds `sanitizer_report`, ends the process.
template <class Action>
void expect_stray_access(const Action& action, const std::string& report, const std::string& sanitizer_report) {
  if constexpr (emulation::address_sanitizer) {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    const auto run = [&action] {
      action();
      synchronise();
    };
    EXPECT_DEATH(run(), sanitizer_report);
  } else {
    action();
    EXPECT_THAT(error_of(synchronise),
                AllOf(HasSubstr("cudaErrorIllegalAddress"), HasSubstr("store_"), HasSubstr(report)));
  }
}

TEST_F(DefectTest, StoreOneElementPastATensorWithANeighbour) {
  const DeviceArray<float> before(10);
  const DeviceArray<float> tensor(10);
  const DeviceArray<float> behind(10);
  expect_stray_access([&] { launch(store_at, 1, 1, 0, nullptr, tensor.data(), 10, 5.0F); },
                      "0 bytes past the end of the 40 bytes", "use-after-poison");
}

TEST_F(DefectTest, StoreOneElementBeforeATensor) {
  const DeviceArray<float> tensor(10);
  expect_stray_access([&] { launch(store_at, 1, 1, 0, nullptr, tensor.data(), -1, 5.0F); },
                      "4 bytes before the 40 bytes", "use-after-poison");
}

TEST_F(DefectTest, StoreBehindTheGuardBandIsCaughtAtTheThread) {
  const DeviceArray<float> tensor(64);
  launch(store_at, 1, 1, 0, nullptr, tensor.data(), 64, 5.0F);
  EXPECT_THAT(report(),
              AllOf(HasSubstr("cudaErrorIllegalAddress"), HasSubstr("block (0,0,0), thread (0,0,0): access to"),
                    HasSubstr("0 bytes past the end of the 256 bytes allocated")));
}

__global__ void load_at(const float* input, float* output, std::int64_t offset) { *output = input[offset]; }

TEST_F(DefectTest, LoadFarOutsideATensor) {
  const DeviceArray<float> tensor(64);
  const DeviceArray<float> output(1);
  launch(load_at, 1, 1, 0, nullptr, tensor.data(), output.data(), 100000);
  EXPECT_THAT(report(), AllOf(HasSubstr("load_at"), HasSubstr("bytes past the end of the 256 bytes allocated")));
}

TEST_F(DefectTest, NullPointer) {
  expect_stray_access([] { launch(store_at, 1, 1, 0, nullptr, nullptr, 0, 5.0F); }, "null pointer", "null pointer");
}

__global__ void barrier_then_fault(float* output) {
  __syncthreads();
  if (threadIdx.x == 77) {
    output[100000] = 1.0F;
  }
  __syncthreads();
}

TEST_F(DefectTest, MemoryFaultWhileOtherThreadsWait) {
  const DeviceArray<float> tensor(64);
  for (int repetition = 0; repetition < 3; ++repetition) {
    const DeviceArray<float> again(64);
    launch(barrier_then_fault, 8, 128, 0, nullptr, again.data());
    EXPECT_THAT(report(), HasSubstr("thread (77,0,0): access to"));
    emulation::reset();
  }
}

__global__ void store_in_shared(float* output, int offset) {
  SharedMemory shared;
  auto* const first = shared.take<float>(8);
  auto* const second = shared.take<float>(8);
  first[0] = 0.0F;
  second[0] = 0.0F;
  first[offset] = 3.0F;
  *output = second[0];
}

TEST_F(DefectTest, StoreOneElementPastAPieceOfSharedMemory) {
  const DeviceArray<float> output(1);
  for (const int offset : {8, -1}) {
    start_over();
    const DeviceArray<float> fresh(1);
    expect_stray_access(
        [&] {
          launch(store_in_shared, 1, 1, SharedLayout().take<float>(8).take<float>(8).bytes(), nullptr, fresh.data(),
                 offset);
        },
        offset > 0 ? "the guard after the 32 bytes taken at 0" : "the guard before the 32 bytes taken at 0",
        "use-after-poison");
  }
}

TEST_F(DefectTest, SharedMemoryBeyondTheLaunch) {
  const DeviceArray<float> output(1);
  launch(store_in_shared, 1, 1, 48, nullptr, output.data(), 0);
  EXPECT_THAT(report(), AllOf(HasSubstr("takes 64 bytes of shared memory"), HasSubstr("provided 48")));
}

__global__ void disagreeing_takes(float* output) {
  SharedMemory shared;
  *output = *shared.take<float>(1 + threadIdx.x);
}

TEST_F(DefectTest, ThreadsThatTakeDifferentSharedMemory) {
  const DeviceArray<float> output(1);
  launch(disagreeing_takes, 1, 2, 64, nullptr, output.data());
  EXPECT_THAT(report(), HasSubstr("another thread of the block took"));
}

__global__ void nothing() {}

TEST_F(DefectTest, LaunchesOverTheLimits) {
  constexpr std::size_t most_shared_bytes = 65536;
  const auto refused = [](dim3 grid, dim3 block, std::size_t shared_bytes) {
    return error_of([&] { launch(nothing, grid, block, shared_bytes, nullptr); });
  };
  EXPECT_EQ(refused(1, 1024, most_shared_bytes), "");
  EXPECT_THAT(refused(1, 1025, 0),
              AllOf(HasSubstr("nothing"), HasSubstr("block (1025,1,1)"), HasSubstr("cudaErrorInvalidConfiguration"),
                    HasSubstr("at most 1024"), HasSubstr("emulation_defect_test.cpp:")));
  EXPECT_THAT(refused(1, dim3(1, 1, 65), 0), HasSubstr("a block of (1,1,65)"));
  EXPECT_THAT(refused(1, dim3(32, 33), 0), HasSubstr("a block of (32,33,1)"));
  EXPECT_THAT(refused(0, 1, 0), HasSubstr("a grid of (0,1,1)"));
  EXPECT_THAT(refused(dim3(1, 65536), 1, 0), HasSubstr("a grid of (1,65536,1)"));
  EXPECT_THAT(refused(1, 1, most_shared_bytes + 1), HasSubstr("at most 65536"));
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidValue) << "the last error stays until it is asked for";
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
  EXPECT_EQ(report(), "") << "a refused launch leaves the device usable";
}

TEST_F(DefectTest, SharedMemoryOver48KilobytesThatWasNotAskedFor) {
  const std::tuple<> no_arguments;
  EXPECT_EQ(emulation::launch(nothing, 1, 1, 50000, nullptr, {"here", 1}, false, no_arguments), cudaErrorInvalidValue);
  EXPECT_THAT(emulation::last_report(), HasSubstr("at most 49152"));
}

TEST_F(DefectTest, HostPointerPassedToAKernel) {
  float on_stack = 0;
  EXPECT_THAT(error_of([&] { launch(store_at, 1, 1, 0, nullptr, &on_stack, 0, 5.0F); }),
              AllOf(HasSubstr("cudaErrorIllegalAddress"), HasSubstr("argument 1"), HasSubstr("host")));
  EXPECT_EQ(on_stack, 0);
  start_over();
  float* pinned = nullptr;
  check(cudaMallocHost(&pinned, 64), "cudaMallocHost");
  EXPECT_THAT(error_of([&] { launch(store_at, 1, 1, 0, nullptr, pinned, 0, 5.0F); }), HasSubstr("argument 1"));
}

struct Tensors {
  int count;
  const float* input;
  float* output;
};

__global__ void copy_first(Tensors tensors) { tensors.output[0] = tensors.input[0]; }

TEST_F(DefectTest, HostPointerWithinAStruct) {
#if !__has_builtin(__builtin_clear_padding)
  GTEST_SKIP() << "structs are looked into only where the compiler can clear their padding";
#endif
  const DeviceArray<float> output(std::vector<float>{7.0F});
  std::vector<float> host(4, 1.0F);
  launch(copy_first, 1, 1, 0, nullptr, Tensors{1, output.data(), output.data()});
  EXPECT_EQ(report(), "");
  EXPECT_THAT(error_of([&] {
                launch(copy_first, 1, 1, 0, nullptr, Tensors{1, host.data(), output.data()});
              }),
              HasSubstr("argument 1 holds"));
}

TEST_F(DefectTest, PointerToFreedMemory) {
  float* freed = nullptr;
  check(cudaMalloc(&freed, 64), "cudaMalloc");
  check(cudaFree(freed), "cudaFree");
  EXPECT_THAT(error_of([&] { launch(store_at, 1, 1, 0, nullptr, freed, 0, 5.0F); }), HasSubstr("not allocated"));
}

TEST_F(DefectTest, MemoryFreedInTheStreamBeforeItsUse) {
  cudaStream_t stream = nullptr;
  check(cudaStreamCreate(&stream), "cudaStreamCreate");
  float* memory = nullptr;
  check(cudaMallocAsync(&memory, 64, stream), "cudaMallocAsync");
  check(cudaFreeAsync(memory, stream), "cudaFreeAsync");
  launch(store_at, 1, 1, 0, stream, memory, 0, 5.0F);
  EXPECT_THAT(report(), HasSubstr("cudaErrorIllegalAddress"));
}

TEST_F(DefectTest, AFailedKernelIsRememberedUntilTheDeviceIsReset) {
  const DeviceArray<float> output(64);
  launch(store_at, 1, 1, 0, nullptr, output.data(), 64, 1.0F);
  launch(store_at, 1, 1, 0, nullptr, output.data(), 0, 1.0F);
  EXPECT_EQ(cudaDeviceSynchronize(), cudaErrorIllegalAddress);
  void* memory = nullptr;
  EXPECT_EQ(cudaMalloc(&memory, 4), cudaErrorIllegalAddress);
  EXPECT_EQ(cudaGetLastError(), cudaErrorIllegalAddress);
  EXPECT_EQ(cudaGetLastError(), cudaErrorIllegalAddress);
  EXPECT_THAT(error_of([&] { launch(nothing, 1, 1, 0, nullptr); }), HasSubstr("past the end"));
  check(cudaDeviceReset(), "cudaDeviceReset");
  EXPECT_EQ(report(), "");
  EXPECT_EQ(emulation::last_report(), "");
}

TEST_F(DefectTest, ReadByACopyOutsideAnAllocation) {
  const DeviceArray<float> tensor(4);
  std::vector<float> host(8);
  EXPECT_THAT(
      error_of([&] { check(cudaMemcpy(host.data(), tensor.data(), 20, cudaMemcpyDeviceToHost), "cudaMemcpy"); }),
      AllOf(HasSubstr("cudaMemcpy at"), HasSubstr("cudaErrorInvalidValue"), HasSubstr("source of a copy: 20 bytes")));
  EXPECT_EQ(cudaMemcpy(tensor.data(), host.data(), 16, cudaMemcpyDeviceToHost), cudaErrorInvalidValue)
      << "the wrong direction";
  EXPECT_EQ(cudaMemset(host.data(), 0, 4), cudaErrorInvalidValue);
  EXPECT_EQ(cudaFree(host.data()), cudaErrorInvalidValue);
}

TEST_F(DefectTest, HostThatFollowsADevicePointer) {
  const DeviceArray<float> tensor(std::vector<float>(4, 1.0F));
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(static_cast<void>(*static_cast<volatile float*>(tensor.data())), "");
}

TEST_F(DefectTest, DeviceFunctionOutsideAKernel) { EXPECT_THROW(__syncthreads(), emulation::Defect); }

}  // namespace
}  // namespace touchstone::emulated
