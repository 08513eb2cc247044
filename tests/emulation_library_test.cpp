// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <numeric>

#include <cublas_v2.h>
#include <nvtx3/nvToolsExt.h>
#include <thrust/execution_policy.h>
#include <thrust/functional.h>
#include <thrust/sort.h>
#include <thrust/system/cpp/execution_policy.h>
#include <thrust/transform_reduce.h>

#include "emulation_support.h"

namespace touchstone::emulated {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class LibraryTest : public EmulationTest {
 protected:
  LibraryTest() {
    check(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
    EXPECT_EQ(cublasCreate(&handle_), CUBLAS_STATUS_SUCCESS);
    EXPECT_EQ(cublasSetStream(handle_, stream_), CUBLAS_STATUS_SUCCESS);
  }
  ~LibraryTest() override { cublasDestroy(handle_); }

  cudaStream_t stream_ = nullptr;
  cublasHandle_t handle_ = nullptr;
  const float one_ = 1.0F;
  const float zero_ = 0.0F;
};

TEST_F(LibraryTest, MatrixProductInTheOrderOfTheStream) {
  const DeviceArray<float> a(std::vector<float>{1, 2, 3, 4, 5, 6});     // 2 x 3, column by column
  const DeviceArray<float> b(std::vector<float>{7, 8, 9, 10, 11, 12});  // 3 x 2
  const DeviceArray<float> c(4);
  ASSERT_EQ(
      cublasSgemm(handle_, CUBLAS_OP_N, CUBLAS_OP_N, 2, 2, 3, &one_, a.data(), 2, b.data(), 3, &zero_, c.data(), 2),
      CUBLAS_STATUS_SUCCESS);
  EXPECT_NE(c.read()[0], 76.0F) << "nothing has synchronised yet";
  check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
  EXPECT_THAT(c.read(), ElementsAre(76, 100, 103, 136));
}

TEST_F(LibraryTest, TransposedAndBatchedProducts) {
  const DeviceArray<float> a(std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8});
  const DeviceArray<float> c(std::vector<float>(8, 1.0F));
  ASSERT_EQ(cublasSgemmStridedBatched(handle_, CUBLAS_OP_T, CUBLAS_OP_N, 2, 2, 2, &one_, a.data(), 2, 4, a.data(), 2, 4,
                                      &one_, c.data(), 2, 4, 2),
            CUBLAS_STATUS_SUCCESS);
  synchronise();
  EXPECT_THAT(c.read(), ElementsAre(6, 12, 12, 26, 62, 84, 84, 114));
}

TEST_F(LibraryTest, MatrixTimesVector) {
  const DeviceArray<float> a(std::vector<float>{1, 2, 3, 4, 5, 6});  // 2 x 3
  const DeviceArray<float> x(std::vector<float>{1, 1, 1});
  const DeviceArray<float> y(3);
  ASSERT_EQ(cublasSgemv(handle_, CUBLAS_OP_N, 2, 3, &one_, a.data(), 2, x.data(), 1, &zero_, y.data(), 2),
            CUBLAS_STATUS_SUCCESS);
  synchronise();
  EXPECT_EQ(y.read()[0], 9.0F);
  EXPECT_EQ(y.read()[2], 12.0F);
}

TEST_F(LibraryTest, FactorsMayStandInDeviceMemory) {
  const DeviceArray<float> a(std::vector<float>{2});
  const DeviceArray<float> factors(std::vector<float>{3, 0});
  const DeviceArray<float> c(1);
  ASSERT_EQ(cublasSetPointerMode(handle_, CUBLAS_POINTER_MODE_DEVICE), CUBLAS_STATUS_SUCCESS);
  ASSERT_EQ(cublasSgemm(handle_, CUBLAS_OP_N, CUBLAS_OP_N, 1, 1, 1, factors.data(), a.data(), 1, a.data(), 1,
                        factors.data() + 1, c.data(), 1),
            CUBLAS_STATUS_SUCCESS);
  synchronise();
  EXPECT_EQ(c.read()[0], 12.0F);
}

TEST_F(LibraryTest, OperandsAreChecked) {
  const DeviceArray<float> a(4);
  std::vector<float> host(4);
  EXPECT_EQ(
      cublasSgemm(handle_, CUBLAS_OP_N, CUBLAS_OP_N, 2, 2, 2, &one_, a.data(), 1, a.data(), 2, &zero_, a.data(), 2),
      CUBLAS_STATUS_INVALID_VALUE)
      << "lda is too small";
  EXPECT_EQ(
      cublasSgemm(nullptr, CUBLAS_OP_N, CUBLAS_OP_N, 2, 2, 2, &one_, a.data(), 2, a.data(), 2, &zero_, a.data(), 2),
      CUBLAS_STATUS_NOT_INITIALIZED);
  EXPECT_EQ(
      cublasSgemm(handle_, CUBLAS_OP_N, CUBLAS_OP_N, 2, 3, 2, &one_, a.data(), 2, a.data(), 2, &zero_, a.data(), 2),
      CUBLAS_STATUS_EXECUTION_FAILED)
      << "c is too small";
  EXPECT_THAT(emulation::last_report(), HasSubstr("matrix b of cublasSgemm: 24 bytes"));
  start_over();
  EXPECT_EQ(cublasSgemv(handle_, CUBLAS_OP_N, 2, 2, &one_, host.data(), 2, host.data(), 1, &zero_, host.data(), 1),
            CUBLAS_STATUS_EXECUTION_FAILED);
  EXPECT_STREQ(cublasGetStatusName(CUBLAS_STATUS_EXECUTION_FAILED), "CUBLAS_STATUS_EXECUTION_FAILED");
}

TEST_F(LibraryTest, CapturedProductRunsAtEachReplay) {
  const DeviceArray<float> a(std::vector<float>{2});
  const DeviceArray<float> c(std::vector<float>{1});
  check(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
  ASSERT_EQ(
      cublasSgemm(handle_, CUBLAS_OP_N, CUBLAS_OP_N, 1, 1, 1, &one_, a.data(), 1, a.data(), 1, &one_, c.data(), 1),
      CUBLAS_STATUS_SUCCESS);
  cudaGraph_t graph = nullptr;
  check(cudaStreamEndCapture(stream_, &graph), "cudaStreamEndCapture");
  cudaGraphExec_t executable = nullptr;
  check(cudaGraphInstantiate(&executable, graph), "cudaGraphInstantiate");
  for (int replay = 0; replay < 3; ++replay) {
    check(cudaGraphLaunch(executable, stream_), "cudaGraphLaunch");
  }
  synchronise();
  EXPECT_EQ(c.read()[0], 13.0F);
}

TEST_F(LibraryTest, RangesMustBeClosed) {
  EXPECT_EQ(nvtxRangePushA("step"), 0);
  EXPECT_EQ(nvtxRangePushA("forward"), 1);
  EXPECT_EQ(emulation::open_ranges(), 2);
  EXPECT_EQ(nvtxRangePop(), 1);
  EXPECT_EQ(nvtxRangePop(), 0);
  EXPECT_EQ(emulation::open_ranges(), 0);
  EXPECT_EQ(cudaPeekAtLastError(), cudaSuccess);
  EXPECT_LT(nvtxRangePop(), 0);
  EXPECT_THAT(emulation::last_report(), HasSubstr("range was closed that had not been opened"));
}

TEST_F(LibraryTest, ThrustSortsDeviceMemoryInTheOrderOfTheStream) {
  const DeviceArray<std::uint32_t> keys(std::vector<std::uint32_t>{3, 1, 3, 0});
  const DeviceArray<std::uint32_t> values(std::vector<std::uint32_t>{0, 1, 2, 3});
  std::uint32_t* const first_key = keys.data();
  std::uint32_t* const first_value = values.data();
  check(
      emulation::enqueue(stream_, "thrust::stable_sort_by_key",
                         [=] { thrust::stable_sort_by_key(thrust::cpp::par, first_key, first_key + 4, first_value); }),
      "thrust::stable_sort_by_key");
  EXPECT_THAT(values.read(), ElementsAre(0, 1, 2, 3));
  check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
  EXPECT_THAT(values.read(), ElementsAre(3, 1, 0, 2));
}

TEST_F(LibraryTest, ThrustReducesDeviceMemory) {
  std::vector<double> losses(1000);
  std::iota(losses.begin(), losses.end(), 1.0);
  const DeviceArray<double> device(losses);
  const double* const first = device.data();
  double sum = 0;
  check(emulation::enqueue(stream_, "thrust::transform_reduce",
                           [=, &sum] {
                             sum = thrust::transform_reduce(thrust::cpp::par, first, first + 1000,
                                                            thrust::negate<double>(), 0.0, thrust::plus<double>());
                           }),
        "thrust::transform_reduce");
  check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
  EXPECT_EQ(sum, -500500.0);
}

TEST_F(LibraryTest, FailureOfQueuedWorkFailsTheDevice) {
  check(emulation::enqueue(stream_, "a library", [] { throw std::runtime_error("out of luck"); }), "enqueue");
  EXPECT_THAT(error_of(synchronise), HasSubstr("a library: out of luck"));
}

}  // namespace
}  // namespace touchstone::emulated
