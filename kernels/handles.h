// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>

#include <cublas_v2.h>

#include "kernels/backend.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// Owns a handle of CUDA: `Destroy` is called once, on what is not null. Destructors never throw; an error there is
/// sticky or harmless, and the next checked call reports it.
template <class Raw, auto Destroy>
class Handle {
 public:
  Handle() = default;
  explicit Handle(Raw raw) : raw_(raw) {}
  Handle(Handle&& other) noexcept : raw_(std::exchange(other.raw_, nullptr)) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(raw_, other.raw_);
    return *this;
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  ~Handle() {
    if (raw_ != nullptr) {
      static_cast<void>(Destroy(raw_));
    }
  }

  [[nodiscard]] Raw get() const { return raw_; }
  explicit operator bool() const { return raw_ != nullptr; }

 private:
  Raw raw_ = nullptr;
};

using Stream = Handle<cudaStream_t, &cudaStreamDestroy>;
using Event = Handle<cudaEvent_t, &cudaEventDestroy>;
using Graph = Handle<cudaGraph_t, &cudaGraphDestroy>;
using ExecutableGraph = Handle<cudaGraphExec_t, &cudaGraphExecDestroy>;
using BlasHandle = Handle<cublasHandle_t, &cublasDestroy>;

/// A stream that does not wait for the default stream.
[[nodiscard]] Stream make_stream();

/// Why cuBLAS cannot be used, in one line, or "".
[[nodiscard]] std::string blas_problem();

/// An event that knows its time.
[[nodiscard]] Event make_event();

/// A handle bound to `stream`, with `bytes` of device memory at `workspace`: without atomics, so that the same product
/// gives the same bits, and in full float32 unless `tf32` lets it round factors to TF32.
[[nodiscard]] BlasHandle make_blas_handle(cudaStream_t stream, void* workspace, std::size_t bytes, bool tf32);

/// What NVIDIA recommends for a GPU of the newest kind (cublasSetWorkspace); the emulated device needs none to speak
/// of.
inline constexpr std::size_t blas_workspace_bytes = emulated_build ? std::size_t{64} << 10U : std::size_t{32} << 20U;

/// Records what `record` queues on `stream`, ready to be replayed. Where `record` throws, the capture is ended first.
template <class Record>
[[nodiscard]] ExecutableGraph capture(cudaStream_t stream, Record record);

/// Throws Error unless a call of cuBLAS succeeded; the message names call, place and cuBLAS's status.
void check(cublasStatus_t status, const char* call, const char* file = __builtin_FILE(), int line = __builtin_LINE());

namespace detail {
void begin_capture(cudaStream_t stream);
Graph end_capture(cudaStream_t stream);
void abandon_capture(cudaStream_t stream) noexcept;
ExecutableGraph instantiate(const Graph& graph);
}  // namespace detail

template <class Record>
ExecutableGraph capture(cudaStream_t stream, Record record) {
  detail::begin_capture(stream);
  try {
    record();
  } catch (...) {
    detail::abandon_capture(stream);
    throw;
  }
  return detail::instantiate(detail::end_capture(stream));
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
