// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <vector>

#include "kernels/allocator.h"
#include "kernels/backend.h"
#include "kernels/check.h"

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

}  // namespace touchstone::TOUCHSTONE_BACKEND
