// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <thread>

#include "emulation_support.h"

namespace touchstone::emulated {
namespace {

using testing::HasSubstr;

class RuntimeTest : public EmulationTest {
 protected:
  static cudaStream_t make_stream(unsigned int flags = cudaStreamNonBlocking) {
    cudaStream_t stream = nullptr;
    check(cudaStreamCreateWithFlags(&stream, flags), "cudaStreamCreateWithFlags");
    return stream;
  }
  static cudaEvent_t make_event() {
    cudaEvent_t event = nullptr;
    check(cudaEventCreate(&event), "cudaEventCreate");
    return event;
  }
};

__global__ void add(int* value, int summand) { *value += summand; }

/// Doubles, so that its place among additions shows.
__global__ void twice(int* value) { *value *= 2; }

TEST_F(RuntimeTest, WorkWaitsUntilSomethingSynchronises) {
  const cudaStream_t stream = make_stream();
  const DeviceArray<int> value(std::vector<int>{1});
  int result = -1;
  launch(add, 1, 1, 0, stream, value.data(), 4);
  check(cudaMemcpyAsync(&result, value.data(), sizeof(int), cudaMemcpyDeviceToHost, stream), "cudaMemcpyAsync");
  EXPECT_EQ(result, -1) << "a forgotten synchronisation shows";
  check(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
  EXPECT_EQ(result, 5);
}

TEST_F(RuntimeTest, CopyOnTheNullStreamDoesNotWaitForANonBlockingStream) {
  const DeviceArray<int> value(std::vector<int>{1});
  const cudaStream_t apart = make_stream(cudaStreamNonBlocking);
  launch(add, 1, 1, 0, apart, value.data(), 4);
  EXPECT_EQ(value.read()[0], 1) << "a forgotten synchronisation shows";
  check(cudaStreamSynchronize(apart), "cudaStreamSynchronize");
  EXPECT_EQ(value.read()[0], 5);
}

TEST_F(RuntimeTest, CopyOnTheNullStreamWaitsForABlockingStream) {
  const DeviceArray<int> value(std::vector<int>{1});
  const cudaStream_t blocking = make_stream(cudaStreamDefault);
  launch(add, 1, 1, 0, blocking, value.data(), 4);
  EXPECT_EQ(value.read()[0], 5);
}

TEST_F(RuntimeTest, BlockingStreamWaitsForTheNullStream) {
  const DeviceArray<int> value(std::vector<int>{1});
  const cudaStream_t blocking = make_stream(cudaStreamDefault);
  launch(add, 1, 1, 0, nullptr, value.data(), 4);
  launch(twice, 1, 1, 0, blocking, value.data());
  check(cudaStreamSynchronize(blocking), "cudaStreamSynchronize");
  EXPECT_EQ(value.read()[0], 10);
}

TEST_F(RuntimeTest, AsynchronousCopyReadsTheHostWhenItsTurnComes) {
  const cudaStream_t stream = make_stream();
  const DeviceArray<int> value(1);
  int source = 1;
  check(cudaMemcpyAsync(value.data(), &source, sizeof(int), cudaMemcpyHostToDevice, stream), "cudaMemcpyAsync");
  source = 2;
  check(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
  EXPECT_EQ(value.read()[0], 2) << "a buffer reused too early shows";
}

TEST_F(RuntimeTest, StreamsRunOnTheirOwn) {
  const DeviceArray<int> values(std::vector<int>{0, 0});
  const cudaStream_t first = make_stream();
  const cudaStream_t second = make_stream();
  launch(add, 1, 1, 0, first, values.data(), 1);
  launch(add, 1, 1, 0, second, values.data() + 1, 1);
  check(cudaStreamSynchronize(second), "cudaStreamSynchronize");
  EXPECT_EQ(values.read(), (std::vector<int>{0, 1}));
  synchronise();
  EXPECT_EQ(values.read(), (std::vector<int>{1, 1}));
}

TEST_F(RuntimeTest, WaitingForAnEventOrdersStreams) {
  const DeviceArray<int> value(std::vector<int>{1});
  const cudaStream_t first = make_stream();
  const cudaStream_t second = make_stream();
  const cudaEvent_t added = make_event();
  launch(add, 1, 1, 0, first, value.data(), 4);
  check(cudaEventRecord(added, first), "cudaEventRecord");
  launch(add, 1, 1, 0, first, value.data(), 100);
  check(cudaStreamWaitEvent(second, added), "cudaStreamWaitEvent");
  launch(twice, 1, 1, 0, second, value.data());
  check(cudaStreamSynchronize(second), "cudaStreamSynchronize");
  EXPECT_EQ(value.read()[0], 10) << "what comes behind the event has not run";
  synchronise();
  EXPECT_EQ(value.read()[0], 110);
}

TEST_F(RuntimeTest, EventsTellTheTimeBetweenThem) {
  const cudaStream_t stream = make_stream();
  const DeviceArray<int> value(std::vector<int>{1});
  const cudaEvent_t start = make_event();
  const cudaEvent_t end = make_event();
  float milliseconds = -1.0F;
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, start, end), cudaErrorInvalidResourceHandle);
  check(cudaEventRecord(start, stream), "cudaEventRecord");
  launch(add, 1, 1, 0, stream, value.data(), 4);
  check(cudaEventRecord(end, stream), "cudaEventRecord");
  EXPECT_EQ(cudaEventElapsedTime(&milliseconds, start, end), cudaErrorNotReady);
  EXPECT_EQ(cudaEventQuery(end), cudaErrorNotReady);
  check(cudaEventSynchronize(end), "cudaEventSynchronize");
  EXPECT_EQ(cudaEventQuery(end), cudaSuccess);
  check(cudaEventElapsedTime(&milliseconds, start, end), "cudaEventElapsedTime");
  EXPECT_GE(milliseconds, 0.0F);
  check(cudaEventDestroy(start), "cudaEventDestroy");
  EXPECT_EQ(cudaEventSynchronize(start), cudaErrorInvalidResourceHandle);
}

TEST_F(RuntimeTest, PollingGetsThereInTheEnd) {
  const cudaStream_t stream = make_stream();
  const DeviceArray<int> value(std::vector<int>{0});
  for (int repetition = 0; repetition < 3; ++repetition) {
    launch(add, 1, 1, 0, stream, value.data(), 1);
  }
  int polls = 0;
  while (cudaStreamQuery(stream) == cudaErrorNotReady) {
    ++polls;
  }
  EXPECT_EQ(polls, 3);
  EXPECT_EQ(value.read()[0], 3);
}

TEST_F(RuntimeTest, DestroyedStreamStillFinishesItsWork) {
  const cudaStream_t stream = make_stream();
  const DeviceArray<int> value(std::vector<int>{0});
  launch(add, 1, 1, 0, stream, value.data(), 1);
  check(cudaStreamDestroy(stream), "cudaStreamDestroy");
  EXPECT_EQ(value.read()[0], 0);
  EXPECT_THAT(error_of([&] { launch(add, 1, 1, 0, stream, value.data(), 1); }),
              HasSubstr("cudaErrorInvalidResourceHandle"));
  synchronise();
  EXPECT_EQ(value.read()[0], 1);
}

TEST_F(RuntimeTest, FreeingMemoryWaitsForQueuedWork) {
  const cudaStream_t stream = make_stream();
  int result = 0;
  {
    const DeviceArray<int> value(std::vector<int>{6});
    launch(twice, 1, 1, 0, stream, value.data());
    check(cudaMemcpyAsync(&result, value.data(), sizeof(int), cudaMemcpyDeviceToHost, stream), "cudaMemcpyAsync");
  }
  EXPECT_EQ(result, 12);
  synchronise();
}

TEST_F(RuntimeTest, ManyLaunchesDoNotPileUp) {
  const cudaStream_t stream = make_stream();
  const DeviceArray<int> value(std::vector<int>{0});
  for (int repetition = 0; repetition < 10000; ++repetition) {
    launch(add, 1, 1, 0, stream, value.data(), 1);
  }
  EXPECT_EQ(value.read()[0], 10000 - 4096) << "the oldest had to run";
  check(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
  EXPECT_EQ(value.read()[0], 10000);
}

TEST_F(RuntimeTest, HostFunctionsRunInTheOrderOfTheStream) {
  const cudaStream_t stream = make_stream();
  const DeviceArray<int> value(std::vector<int>{3});
  struct Seen {
    int copied = 0;
    int value = 0;
  } seen;
  launch(twice, 1, 1, 0, stream, value.data());
  check(cudaMemcpyAsync(&seen.copied, value.data(), sizeof(int), cudaMemcpyDeviceToHost, stream), "cudaMemcpyAsync");
  const auto look = [](void* data) {
    auto* const found = static_cast<Seen*>(data);
    found->value = found->copied;
  };
  check(cudaLaunchHostFunc(stream, look, &seen), "cudaLaunchHostFunc");
  EXPECT_EQ(seen.value, 0);
  check(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
  EXPECT_EQ(seen.value, 6);
}

TEST_F(RuntimeTest, CapturedWorkRunsAtEachReplayOnly) {
  const cudaStream_t stream = make_stream();
  const DeviceArray<int> value(std::vector<int>{1});
  check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal), "cudaStreamBeginCapture");
  launch(add, 1, 1, 0, stream, value.data(), 1);
  launch(twice, 1, 1, 0, stream, value.data());
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  check(cudaStreamIsCapturing(stream, &status), "cudaStreamIsCapturing");
  EXPECT_EQ(status, cudaStreamCaptureStatusActive);
  cudaGraph_t graph = nullptr;
  check(cudaStreamEndCapture(stream, &graph), "cudaStreamEndCapture");
  std::size_t nodes = 0;
  check(cudaGraphGetNodes(graph, nullptr, &nodes), "cudaGraphGetNodes");
  EXPECT_EQ(nodes, 2U);
  cudaGraphExec_t executable = nullptr;
  check(cudaGraphInstantiate(&executable, graph), "cudaGraphInstantiate");
  check(cudaGraphDestroy(graph), "cudaGraphDestroy");
  synchronise();
  EXPECT_EQ(value.read()[0], 1);
  check(cudaGraphLaunch(executable, stream), "cudaGraphLaunch");
  check(cudaGraphLaunch(executable, stream), "cudaGraphLaunch");
  EXPECT_EQ(value.read()[0], 1);
  check(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
  EXPECT_EQ(value.read()[0], 10);
  check(cudaGraphExecDestroy(executable), "cudaGraphExecDestroy");
  EXPECT_EQ(cudaGraphLaunch(executable, stream), cudaErrorInvalidValue);
}

TEST_F(RuntimeTest, CaptureFollowsEventsToOtherStreams) {
  const cudaStream_t origin = make_stream();
  const cudaStream_t other = make_stream();
  const cudaEvent_t fork = make_event();
  const cudaEvent_t join = make_event();
  const DeviceArray<int> value(std::vector<int>{1});
  for (const bool joined : {true, false}) {
    check(cudaStreamBeginCapture(origin, cudaStreamCaptureModeGlobal), "cudaStreamBeginCapture");
    check(cudaEventRecord(fork, origin), "cudaEventRecord");
    check(cudaStreamWaitEvent(other, fork), "cudaStreamWaitEvent");
    launch(add, 1, 1, 0, other, value.data(), 1);
    check(cudaEventRecord(join, other), "cudaEventRecord");
    if (joined) {
      check(cudaStreamWaitEvent(origin, join), "cudaStreamWaitEvent");
    }
    cudaGraph_t graph = nullptr;
    EXPECT_EQ(cudaStreamEndCapture(origin, &graph), joined ? cudaSuccess : cudaErrorStreamCaptureUnjoined);
    EXPECT_EQ(graph != nullptr, joined);
  }
  EXPECT_EQ(cudaEventSynchronize(join), cudaErrorCapturedEvent);
}

TEST_F(RuntimeTest, WhatACaptureDoesNotPermitSpoilsIt) {
  const DeviceArray<int> value(std::vector<int>{1});
  const cudaStream_t stream = make_stream(cudaStreamDefault);
  const std::array<cudaError_t (*)(cudaStream_t, int*), 4> forbidden = {
      [](cudaStream_t captured, int*) { return cudaStreamSynchronize(captured); },
      [](cudaStream_t, int*) { return cudaDeviceSynchronize(); },
      [](cudaStream_t, int*) {
        void* memory = nullptr;
        return cudaMalloc(&memory, 16);
      },
      [](cudaStream_t, int* device) { return cudaMemset(device, 0, 4); }};
  for (const auto& call : forbidden) {
    check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal), "cudaStreamBeginCapture");
    EXPECT_NE(call(stream, value.data()), cudaSuccess);
    cudaGraph_t graph = nullptr;
    EXPECT_EQ(cudaStreamEndCapture(stream, &graph), cudaErrorStreamCaptureInvalidated);
    EXPECT_EQ(graph, nullptr);
  }
  EXPECT_EQ(value.read()[0], 1);
}

TEST_F(RuntimeTest, OutOfMemoryIsReportedAndPasses) {
  start_over({.memory_bytes = 1000});
  std::size_t free_bytes = 0;
  std::size_t total_bytes = 0;
  void* memory = nullptr;
  check(cudaMalloc(&memory, 600), "cudaMalloc");
  check(cudaMemGetInfo(&free_bytes, &total_bytes), "cudaMemGetInfo");
  EXPECT_EQ(free_bytes, 400U);
  EXPECT_EQ(total_bytes, 1000U);
  EXPECT_THAT(error_of([] {
                void* more = nullptr;
                check(cudaMalloc(&more, 401), "cudaMalloc");
              }),
              testing::AllOf(HasSubstr("cudaErrorMemoryAllocation"), HasSubstr("401 bytes asked for")));
  check(cudaFree(memory), "cudaFree");
  check(cudaMalloc(&memory, 1000), "cudaMalloc");
}

TEST_F(RuntimeTest, AllocationsAreAlignedAndFarApart) {
  std::vector<std::unique_ptr<DeviceArray<char>>> arrays;
  for (std::size_t bytes = 1; bytes < 3000; bytes += 371) {
    arrays.push_back(std::make_unique<DeviceArray<char>>(bytes));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(arrays.back()->data()) % 256, 0U);
    cudaPointerAttributes attributes = {};
    check(cudaPointerGetAttributes(&attributes, arrays.back()->data()), "cudaPointerGetAttributes");
    EXPECT_EQ(attributes.type, cudaMemoryTypeDevice);
  }
  for (std::size_t index = 1; index < arrays.size(); ++index) {
    EXPECT_GT(arrays[index]->data() - arrays[index - 1]->data(), 1 << 20);
  }
}

TEST_F(RuntimeTest, RowsAreCopiedWithTheirPitch) {
  const DeviceArray<int> device(std::vector<int>{1, 2, 3, 4, 5, 6});
  std::vector<int> host(4, 0);
  check(cudaMemcpy2D(host.data(), 2 * sizeof(int), device.data(), 3 * sizeof(int), 2 * sizeof(int), 2,
                     cudaMemcpyDeviceToHost),
        "cudaMemcpy2D");
  EXPECT_EQ(host, (std::vector<int>{1, 2, 4, 5}));
}

TEST_F(RuntimeTest, PropertiesDescribeTheDevices) {
  cudaDeviceProp properties = {};
  check(cudaGetDeviceProperties(&properties, 0), "cudaGetDeviceProperties");
  EXPECT_EQ(properties.major * 10 + properties.minor, 75);
  EXPECT_EQ(properties.sharedMemPerBlockOptin, 65536U);
  EXPECT_EQ(properties.maxGridSize[1], 65535);
  int blocks = 0;
  check(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, add, 256, 20000), "cudaOccupancy");
  EXPECT_EQ(blocks, 3);
  int count = 0;
  check(cudaGetDeviceCount(&count), "cudaGetDeviceCount");
  EXPECT_EQ(count, 2);
  EXPECT_EQ(cudaSetDevice(2), cudaErrorInvalidDevice);
  check(cudaGetDeviceProperties(&properties, 1), "cudaGetDeviceProperties");
  EXPECT_EQ(properties.major * 10 + properties.minor, 90);
  EXPECT_EQ(properties.sharedMemPerBlockOptin, 232448U);
}

TEST_F(RuntimeTest, ADeviceIsCurrentForItsThread) {
  const auto current = [] {
    int device = -1;
    check(cudaGetDevice(&device), "cudaGetDevice");
    return device;
  };
  check(cudaSetDevice(1), "cudaSetDevice");
  EXPECT_EQ(current(), 1);
  int blocks = 0;
  check(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, add, 256, 20000), "cudaOccupancy");
  EXPECT_EQ(blocks, 8);
  int of_other = -1;
  std::thread([&] { of_other = current(); }).join();
  EXPECT_EQ(of_other, 0);
  check(cudaSetDevice(0), "cudaSetDevice");
}

TEST_F(RuntimeTest, SharedMemoryIsAskedForDeviceByDevice) {
  constexpr int most_of_second = 232448;
  const auto ask = [](int bytes) {
    return cudaFuncSetAttribute(reinterpret_cast<const void*>(&add), cudaFuncAttributeMaxDynamicSharedMemorySize,
                                bytes);
  };
  const auto limit = [] {
    cudaFuncAttributes attributes;
    check(cudaFuncGetAttributes(&attributes, reinterpret_cast<const void*>(&add)), "cudaFuncGetAttributes");
    return attributes.maxDynamicSharedSizeBytes;
  };
  EXPECT_EQ(ask(most_of_second), cudaErrorInvalidValue);
  check(cudaSetDevice(1), "cudaSetDevice");
  EXPECT_EQ(ask(most_of_second), cudaSuccess);
  EXPECT_EQ(limit(), most_of_second);
  EXPECT_EQ(ask(most_of_second + 1), cudaErrorInvalidValue);
  check(cudaSetDevice(0), "cudaSetDevice");
  EXPECT_EQ(limit(), 49152);
}

TEST_F(RuntimeTest, ErrorsHaveNamesAndTexts) {
  EXPECT_STREQ(cudaGetErrorName(cudaErrorIllegalAddress), "cudaErrorIllegalAddress");
  EXPECT_STREQ(cudaGetErrorString(cudaErrorIllegalAddress), "an illegal memory access was encountered");
  EXPECT_STREQ(cudaGetErrorName(static_cast<cudaError_t>(998)), "unrecognized error code");
  const char* name = nullptr;
  check(cudaFuncGetName(&name, reinterpret_cast<const void*>(&add)), "cudaFuncGetName");
  EXPECT_THAT(name, HasSubstr("add"));
}

TEST_F(RuntimeTest, HostThreadsShareTheDevice) {
  std::vector<std::thread> threads;
  std::vector<int> results(4, 0);
  for (std::size_t index = 0; index < results.size(); ++index) {
    threads.emplace_back([index, &results] {
      const cudaStream_t stream = make_stream();
      const DeviceArray<int> value(std::vector<int>{static_cast<int>(index)});
      for (int repetition = 0; repetition < 50; ++repetition) {
        launch(add, 1, 1, 0, stream, value.data(), 1);
      }
      check(cudaStreamSynchronize(stream), "cudaStreamSynchronize");
      results[index] = value.read()[0];
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(results, (std::vector<int>{50, 51, 52, 53}));
}

}  // namespace
}  // namespace touchstone::emulated
