// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "kernels/check.h"
#include "kernels/handles.h"

namespace touchstone::TOUCHSTONE_BACKEND {

Stream make_stream() {
  cudaStream_t stream = nullptr;
  check(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking), "cudaStreamCreateWithFlags");
  return Stream(stream);
}

std::string blas_problem() {
  try {
    static_cast<void>(cublasGetStatusName(CUBLAS_STATUS_SUCCESS));  // takes the library, and nothing else
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

Event make_event() {
  cudaEvent_t event = nullptr;
  check(cudaEventCreate(&event), "cudaEventCreate");
  return Event(event);
}

BlasHandle make_blas_handle(cudaStream_t stream, void* workspace, std::size_t bytes, bool tf32) {
  cublasHandle_t raw = nullptr;
  check(cublasCreate(&raw), "cublasCreate");
  BlasHandle handle(raw);
  check(cublasSetStream(raw, stream), "cublasSetStream");
  check(cublasSetWorkspace(raw, workspace, bytes), "cublasSetWorkspace");
  check(cublasSetAtomicsMode(raw, CUBLAS_ATOMICS_NOT_ALLOWED), "cublasSetAtomicsMode");
  check(cublasSetMathMode(raw, tf32 ? CUBLAS_TF32_TENSOR_OP_MATH : CUBLAS_DEFAULT_MATH), "cublasSetMathMode");
  return handle;
}

void check(cublasStatus_t status, const char* call, const char* file, int line) {
  if (status != CUBLAS_STATUS_SUCCESS) {
    throw DeviceError(std::string(call) + " at " + file + ":" + std::to_string(line) + ": " +
                      cublasGetStatusName(status) + ": " + cublasGetStatusString(status));
  }
}

namespace detail {

void begin_capture(cudaStream_t stream) {
  check(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal), "cudaStreamBeginCapture");
}

Graph end_capture(cudaStream_t stream) {
  cudaGraph_t graph = nullptr;
  check(cudaStreamEndCapture(stream, &graph), "cudaStreamEndCapture");
  return Graph(graph);
}

void abandon_capture(cudaStream_t stream) noexcept {
  cudaGraph_t graph = nullptr;
  if (cudaStreamEndCapture(stream, &graph) == cudaSuccess) {
    const Graph owned(graph);
  }
}

ExecutableGraph instantiate(const Graph& graph) {
  cudaGraphExec_t executable = nullptr;
  check(cudaGraphInstantiate(&executable, graph.get(), 0), "cudaGraphInstantiate");
  return ExecutableGraph(executable);
}

}  // namespace detail
}  // namespace touchstone::TOUCHSTONE_BACKEND
