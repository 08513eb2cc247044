// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include "kernels/allocator.h"
#include "kernels/backend.h"
#include "kernels/check.h"
#include "kernels/device.h"
#include "kernels/handles.h"
#include "touchstone/operation_timer.h"

namespace touchstone::TOUCHSTONE_BACKEND {

/// The device's tensors of one call: made from host arrays, copied back where they are outputs. An operation is
/// repeated by asking for the same tensors in the same order again: after rewind() they are the ones there are, and
/// nothing is copied.
class Call {
 public:
  explicit Call(cudaStream_t stream) : stream_(stream) {}

  // nullptr for nullptr.
  template <class T>
  [[nodiscard]] T* input(const T* values, std::int64_t count, const char* name) {
    if (values == nullptr || count == 0) {
      return nullptr;
    }
    T* tensor = allocate<T>(count, name);
    if (!rewound_) {
      check(
          cudaMemcpyAsync(tensor, values, static_cast<std::size_t>(count) * sizeof(T), cudaMemcpyHostToDevice, stream_),
          "cudaMemcpyAsync");
    }
    return tensor;
  }

  template <class T>
  [[nodiscard]] T* output(T* values, std::int64_t count, const char* name) {
    T* tensor = count == 0 ? nullptr : allocate<T>(count, name);
    return deliver(values, tensor, count);
  }

  template <class T>
  [[nodiscard]] T* in_place(T* values, std::int64_t count, const char* name) {
    return deliver(values, input<T>(values, count, name), count);
  }

  template <class T>
  [[nodiscard]] T* workspace(std::int64_t count) {
    return count == 0 ? nullptr : allocate<T>(count, "the workspace");
  }

  [[nodiscard]] Allocator& allocator() { return allocator_; }

  // The following calls name the tensors that there are, from the first on.
  void rewind() {
    rewound_ = true;
    next_ = 0;
  }

  // Waits for the operation, looks at the guards, and copies the outputs back.
  void finish() {
    check(cudaStreamSynchronize(stream_), "cudaStreamSynchronize");
    allocator_.verify();
    for (const Output& output : outputs_) {
      if (output.bytes > 0) {
        check(cudaMemcpy(output.values, output.tensor, output.bytes, cudaMemcpyDeviceToHost), "cudaMemcpy");
      }
    }
  }

 private:
  struct Output {
    void* values;
    const void* tensor;
    std::size_t bytes;
  };

  template <class T>
  [[nodiscard]] T* allocate(std::int64_t count, const char* name) {
    if (!rewound_) {
      tensors_.push_back(allocator_.allocate(static_cast<std::size_t>(count) * sizeof(T), name));
      next_ = tensors_.size() - 1;
    }
    return static_cast<T*>(tensors_.at(next_++));
  }

  // Has finish() copy a tensor back.
  template <class T>
  T* deliver(T* values, T* tensor, std::int64_t count) {
    if (!rewound_) {
      outputs_.push_back({values, tensor, static_cast<std::size_t>(count) * sizeof(T)});
    }
    return tensor;
  }

  cudaStream_t stream_;
  GuardedAllocator allocator_;
  std::vector<void*> tensors_;  // in the order of asking for them
  std::size_t next_ = 0;
  bool rewound_ = false;
  std::vector<Output> outputs_;
};

/// Runs the calls of a device, one after the other on a stream of its own, for which there is cuBLAS.
class CallRunner {
 public:
  CallRunner(int index, bool tf32) : index_(index) {
    open_device(index_);
    stream_ = make_stream();
    before_ = make_event();
    after_ = make_event();
    blas_workspace_ =
        Buffer<char>(allocator_, static_cast<std::int64_t>(blas_workspace_bytes), "the workspace of cuBLAS");
    blas_ = make_blas_handle(stream_.get(), blas_workspace_.data(), blas_workspace_.bytes(), tf32);
  }

  [[nodiscard]] std::string device() const { return device_name(index_); }
  [[nodiscard]] cublasHandle_t blas() const { return blas_.get(); }

  /// Runs operation(call, stream), has the timer (nullptr: none) repeat it, and looks at the guards.
  template <class Operation>
  void run(const Operation& operation, OperationTimer* timer) {
    use_device(index_);
    Call call(stream_.get());
    operation(call, stream_.get());
    call.finish();
    if (timer != nullptr) {
      timer->time([&](std::int64_t runs) { return seconds_of(runs, call, operation); });
    }
    allocator_.verify();
  }

 private:
  // Repeats what a call has done; the seconds between the events before and after.
  template <class Operation>
  double seconds_of(std::int64_t runs, Call& call, const Operation& operation) const {
    check(cudaEventRecord(before_.get(), stream_.get()), "cudaEventRecord");
    for (std::int64_t i = 0; i < runs; ++i) {
      call.rewind();
      operation(call, stream_.get());
    }
    check(cudaEventRecord(after_.get(), stream_.get()), "cudaEventRecord");
    check(cudaEventSynchronize(after_.get()), "cudaEventSynchronize");
    float milliseconds = 0;
    check(cudaEventElapsedTime(&milliseconds, before_.get(), after_.get()), "cudaEventElapsedTime");
    return static_cast<double>(milliseconds) * 1e-3;
  }

  int index_;
  Stream stream_;
  Event before_;  // what a timer has repeated, and after it
  Event after_;
  GuardedAllocator allocator_;  // of what outlives a call
  Buffer<char> blas_workspace_;
  BlasHandle blas_;
};

}  // namespace touchstone::TOUCHSTONE_BACKEND
