// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "emulation/defect.h"
#include "emulation/device.h"
#include "emulation/device_memory.h"
#include "emulation/grid.h"
#include "emulation/limits.h"
#include "emulation/stream.h"

namespace touchstone::emulation {

/// All that the emulated devices consist of: they differ in what they allow alone, and have all else in common. Guarded
/// by one lock, which each call of the runtime holds.
class Device {
 public:
  /// The process's device. It lives as long as the process: handles may be released after main() has returned.
  static Device& get();

  std::recursive_mutex lock;
  Options options;
  DeviceMemory memory;
  std::map<const std::byte*, std::size_t> pinned;  ///< memory of cudaMallocHost and its size
  Streams streams;
  std::map<runtime::cudaEvent_t, std::shared_ptr<runtime::CUevent_st>> events;
  std::map<runtime::cudaGraph_t, std::shared_ptr<runtime::CUgraph_st>> graphs;
  std::map<runtime::cudaGraphExec_t, std::unique_ptr<runtime::CUgraphExec_st>> executables;
  /// Of kernels that asked for more than 48 KB on a device.
  std::map<std::pair<int, const void*>, std::size_t> shared_limits;
  int ranges = 0;

  /// Runs `call`, a body of a function of the runtime, under the lock; its error, which is remembered. After a sticky
  /// error nothing runs any more, and each call returns it.
  template <class Call>
  runtime::cudaError_t guarded(const Call& call) {
    return protect(call, false);
  }
  /// The same for what must also work after a sticky error: releasing things.
  template <class Call>
  runtime::cudaError_t guarded_release(const Call& call) {
    return protect(call, true);
  }

  /// The device, by its number, that calls of this thread mean.
  static int current();
  static void make_current(int number);
  [[nodiscard]] static const limits::Capability& capability() {
    return limits::devices[static_cast<std::size_t>(current())];
  }
  /// The shared memory that a kernel may have on the current device.
  [[nodiscard]] std::size_t shared_limit(const void* kernel) const;

  runtime::cudaError_t last_error(bool clear);
  [[nodiscard]] const Defect& report() const { return report_; }
  void reset();

  /// Queues work on a stream: its defects become the device's sticky error.
  void enqueue(runtime::cudaStream_t stream, std::string name, std::function<void()> work);
  void enqueue(runtime::cudaStream_t stream, std::function<std::string()> name, std::function<void()> work);
  void launch(KernelLaunch launch, runtime::cudaStream_t stream);
  /// Memory filled with the schedule's pattern. Throws Defect.
  void* allocate(std::size_t bytes);
  /// Throws Defect unless a device's address range [address, address + bytes) lies within one allocation.
  void require_allocated(const void* address, std::size_t bytes, const std::string& what) const;

 private:
  /// A call of the runtime: holds the lock, and leaves device memory closed when the outermost ends.
  class Session {
   public:
    explicit Session(Device& device) : device_(device), guard_(device.lock) { ++device.calls_; }
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;
    ~Session() {
      if (--device_.calls_ == 0) {
        device_.memory.close();
      }
    }

   private:
    Device& device_;
    std::lock_guard<std::recursive_mutex> guard_;
  };

  Device() = default;

  template <class Call>
  runtime::cudaError_t protect(const Call& call, bool releases);
  runtime::cudaError_t remember(runtime::cudaError_t error);
  runtime::cudaError_t remember(const Defect& defect);
  void run_work(const std::function<std::string()>& name, const std::function<void()>& work);
  void run_kernel(const KernelLaunch& launch);
  void check_limits(const KernelLaunch& launch) const;
  void check_arguments(const KernelLaunch& launch) const;

  GridRunner grids_;
  int calls_ = 0;  ///< of the runtime, one within the other, that are under way
  Defect report_;
  runtime::cudaError_t sticky_ = runtime::cudaSuccess;
};

/// Whether an error means that the device can do nothing more.
constexpr bool is_sticky(runtime::cudaError_t error) {
  return error == runtime::cudaErrorIllegalAddress || error == runtime::cudaErrorMisalignedAddress ||
         error == runtime::cudaErrorLaunchFailure;
}

template <class Call>
runtime::cudaError_t Device::protect(const Call& call, bool releases) {
  const Session session(*this);
  if (sticky_ != runtime::cudaSuccess && !releases) {
    return remember(sticky_);
  }
  try {
    call();
  } catch (const Defect& defect) {
    return remember(defect);
  } catch (const std::bad_alloc&) {
    return remember({runtime::cudaErrorMemoryAllocation, "the host's memory is used up"});
  }
  return sticky_;
}

}  // namespace touchstone::emulation
