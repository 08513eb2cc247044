// SPDX-License-Identifier: Apache-2.0
// The runtime's functions about memory.
#include <cstring>
#include <new>

#include <fmt/format.h>

#include "emulation/device_state.h"
#include "emulation/runtime_api.h"

namespace touchstone::emulation::runtime {
namespace {

/// A copy of rows of bytes; one row for a plain copy.
struct Copy {
  void* target;
  std::size_t target_pitch;
  const void* source;
  std::size_t source_pitch;
  std::size_t width;
  std::size_t height;
  cudaMemcpyKind kind;
};

std::size_t extent(std::size_t pitch, const Copy& copy) {
  return copy.height == 0 || copy.width == 0 ? 0 : pitch * (copy.height - 1) + copy.width;
}

/// Checks one side of a copy against what the direction says of it.
void check_side(const Device& device, const void* address, std::size_t bytes, bool on_device, const std::string& what) {
  if (bytes == 0) {
    return;
  }
  if (on_device) {
    device.require_allocated(address, bytes, what);
  } else if (device.memory.owns(address)) {
    throw Defect{cudaErrorInvalidValue, fmt::format("{}: {} is device memory, the direction says host", what, address)};
  } else if (address == nullptr) {
    throw Defect{cudaErrorInvalidValue, what + ": a null pointer"};
  }
}

void check_copy(const Device& device, const Copy& copy) {
  if (copy.height > 1 && (copy.width > copy.target_pitch || copy.width > copy.source_pitch)) {
    throw Defect{cudaErrorInvalidValue, "a copy of rows wider than their pitch"};
  }
  const bool inferred = copy.kind == cudaMemcpyDefault;
  const bool to_device = inferred ? device.memory.owns(copy.target)
                                  : copy.kind == cudaMemcpyHostToDevice || copy.kind == cudaMemcpyDeviceToDevice;
  const bool from_device = inferred ? device.memory.owns(copy.source)
                                    : copy.kind == cudaMemcpyDeviceToHost || copy.kind == cudaMemcpyDeviceToDevice;
  check_side(device, copy.target, extent(copy.target_pitch, copy), to_device, "target of a copy");
  check_side(device, copy.source, extent(copy.source_pitch, copy), from_device, "source of a copy");
}

/// Device and host memory are read and written when the stream gets there, pageable host memory too.
void enqueue_copy(Device& device, const Copy& copy, cudaStream_t stream) {
  check_copy(device, copy);
  device.enqueue(stream, "a copy", [&device, copy] {
    check_copy(device, copy);
    for (std::size_t row = 0; row < copy.height && copy.width > 0; ++row) {
      std::memmove(static_cast<std::byte*>(copy.target) + row * copy.target_pitch,
                   static_cast<const std::byte*>(copy.source) + row * copy.source_pitch, copy.width);
    }
  });
}

void enqueue_fill(Device& device, void* address, int value, std::size_t bytes, cudaStream_t stream) {
  device.require_allocated(address, bytes, "target of a memset");
  device.enqueue(stream, "a memset", [&device, address, value, bytes] {
    device.require_allocated(address, bytes, "target of a memset");
    if (bytes > 0) {
      std::memset(address, value, bytes);
    }
  });
}

/// Copies on the null stream, and waits for it.
cudaError_t copy_now(const Copy& copy) {
  Device& device = Device::get();
  return device.guarded([&] {
    enqueue_copy(device, copy, nullptr);
    device.streams.run(device.streams.get(nullptr));
  });
}

cudaError_t copy_later(const Copy& copy, cudaStream_t stream) {
  Device& device = Device::get();
  return device.guarded([&] { enqueue_copy(device, copy, stream); });
}

void forbid_during_capture(Device& device, const char* function) {
  if (device.streams.forbid_unsafe_call()) {
    throw Defect{cudaErrorStreamCaptureUnsupported, std::string(function) + " during a capture"};
  }
}

constexpr std::align_val_t pinned_alignment{256};

}  // namespace

cudaError_t cudaMalloc(void** address, std::size_t bytes) {
  Device& device = Device::get();
  *address = nullptr;
  return device.guarded([&] {
    forbid_during_capture(device, "cudaMalloc");
    *address = device.allocate(bytes);
  });
}

cudaError_t cudaFree(void* address) {
  Device& device = Device::get();
  return device.guarded_release([&] {
    if (address == nullptr) {
      return;
    }
    forbid_during_capture(device, "cudaFree");
    // As the driver does: nothing that was queued before still runs when the memory goes.
    device.streams.run_all();
    if (!device.memory.free(address)) {
      throw Defect{cudaErrorInvalidValue, fmt::format("cudaFree of {}, which cudaMalloc did not return", address)};
    }
  });
}

cudaError_t cudaMallocAsync(void** address, std::size_t bytes, cudaStream_t stream) {
  Device& device = Device::get();
  *address = nullptr;
  return device.guarded([&] {
    forbid_during_capture(device, "cudaMallocAsync");
    static_cast<void>(device.streams.get(stream));
    *address = device.allocate(bytes);
  });
}

cudaError_t cudaFreeAsync(void* address, cudaStream_t stream) {
  Device& device = Device::get();
  return device.guarded_release([&] {
    if (address == nullptr) {
      return;
    }
    forbid_during_capture(device, "cudaFreeAsync");
    device.enqueue(stream, "cudaFreeAsync", [&device, address] {
      if (!device.memory.free(address)) {
        throw Defect{cudaErrorInvalidValue, fmt::format("cudaFreeAsync of {}, which was not allocated", address)};
      }
    });
  });
}

cudaError_t cudaMallocHost(void** address, std::size_t bytes) { return cudaHostAlloc(address, bytes, 0); }

cudaError_t cudaHostAlloc(void** address, std::size_t bytes, unsigned int /*flags*/) {
  Device& device = Device::get();
  *address = nullptr;
  return device.guarded([&] {
    forbid_during_capture(device, "cudaHostAlloc");
    auto* const memory = static_cast<std::byte*>(::operator new(bytes, pinned_alignment));
    Pattern(device.options.fill, Content::floating_point, device.options.seed).write(memory, bytes);
    device.pinned.emplace(memory, bytes);
    *address = memory;
  });
}

cudaError_t cudaFreeHost(void* address) {
  Device& device = Device::get();
  return device.guarded_release([&] {
    if (address == nullptr) {
      return;
    }
    forbid_during_capture(device, "cudaFreeHost");
    device.streams.run_all();
    if (device.pinned.erase(static_cast<std::byte*>(address)) == 0) {
      throw Defect{cudaErrorInvalidValue,
                   fmt::format("cudaFreeHost of {}, which cudaMallocHost did not return", address)};
    }
    ::operator delete(address, pinned_alignment);
  });
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* address) {
  Device& device = Device::get();
  return device.guarded([&] {
    *attributes = {};
    void* const pointer = const_cast<void*>(address);
    const auto* const bytes = static_cast<const std::byte*>(address);
    const auto behind = device.pinned.upper_bound(bytes);
    if (device.memory.find(address, 0) != nullptr) {
      *attributes = {cudaMemoryTypeDevice, 0, pointer, nullptr};
    } else if (behind != device.pinned.begin() && bytes < std::prev(behind)->first + std::prev(behind)->second) {
      *attributes = {cudaMemoryTypeHost, 0, pointer, pointer};
    } else {
      *attributes = {cudaMemoryTypeUnregistered, -1, nullptr, pointer};
    }
  });
}

cudaError_t cudaMemcpy(void* target, const void* source, std::size_t bytes, cudaMemcpyKind kind) {
  return copy_now({target, bytes, source, bytes, bytes, 1, kind});
}

cudaError_t cudaMemcpyAsync(void* target, const void* source, std::size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  return copy_later({target, bytes, source, bytes, bytes, 1, kind}, stream);
}

cudaError_t cudaMemcpy2D(void* target, std::size_t target_pitch, const void* source, std::size_t source_pitch,
                         std::size_t width, std::size_t height, cudaMemcpyKind kind) {
  return copy_now({target, target_pitch, source, source_pitch, width, height, kind});
}

cudaError_t cudaMemcpy2DAsync(void* target, std::size_t target_pitch, const void* source, std::size_t source_pitch,
                              std::size_t width, std::size_t height, cudaMemcpyKind kind, cudaStream_t stream) {
  return copy_later({target, target_pitch, source, source_pitch, width, height, kind}, stream);
}

cudaError_t cudaMemset(void* address, int value, std::size_t bytes) {
  return cudaMemsetAsync(address, value, bytes, nullptr);
}

cudaError_t cudaMemsetAsync(void* address, int value, std::size_t bytes, cudaStream_t stream) {
  Device& device = Device::get();
  return device.guarded([&] { enqueue_fill(device, address, value, bytes, stream); });
}

}  // namespace touchstone::emulation::runtime
