// SPDX-License-Identifier: Apache-2.0
#include "emulation/device.h"

#include <algorithm>
#include <exception>
#include <utility>

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include "emulation/device_state.h"
#include "emulation/limits.h"
#include "emulation/symbols.h"

namespace touchstone::emulation {
namespace {

using runtime::cudaError_t;

constinit thread_local cudaError_t last_error_of_thread = runtime::cudaSuccess;

std::string describe(const runtime::dim3& size) { return fmt::format("({},{},{})", size.x, size.y, size.z); }

std::string describe(const KernelLaunch& launch) {
  const std::string name = readable_name(launch.kernel);
  return fmt::format("{} (launched at {}:{})", name.empty() ? "kernel" : name, launch.place.file, launch.place.line);
}

/// Whether the host has something at an address.
bool is_mapped(const void* address) {
  const auto page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
  const auto* const byte = static_cast<const std::byte*>(address);
  const std::byte* const begin = byte - reinterpret_cast<std::uintptr_t>(address) % page;
  unsigned char resident = 0;
  return mincore(const_cast<std::byte*>(begin), 1, &resident) == 0;
}

/// Whether eight bytes of a struct look like an address at all: not a small number or a pair of them (below 2^45 a
/// process has nothing but AddressSanitizer's shadow), not above what a process has.
bool may_be_address(const void* word) {
  const auto value = reinterpret_cast<std::uintptr_t>(word);
  return value > std::uintptr_t{1} << 45U && value < std::uintptr_t{1} << 47U && is_mapped(word);
}

}  // namespace

Device& Device::get() {
  static Device& device = *new Device;
  return device;
}

cudaError_t Device::last_error(bool clear) {
  const std::lock_guard guard(lock);
  const cudaError_t error = sticky_ != runtime::cudaSuccess ? sticky_ : last_error_of_thread;
  if (clear) {
    last_error_of_thread = runtime::cudaSuccess;
  }
  return error;
}

cudaError_t Device::remember(cudaError_t error) {
  last_error_of_thread = error;
  return error;
}

cudaError_t Device::remember(const Defect& defect) {
  if (sticky_ == runtime::cudaSuccess) {
    report_ = defect;
    sticky_ = is_sticky(defect.error) ? defect.error : runtime::cudaSuccess;
  }
  return remember(sticky_ != runtime::cudaSuccess ? sticky_ : defect.error);
}

void Device::reset() {
  streams.reset();
  events.clear();
  graphs.clear();
  executables.clear();
  shared_limits.clear();
  memory.free_all();
  for (const auto& [address, bytes] : pinned) {
    ::operator delete (const_cast<std::byte*>(address), std::align_val_t{256});
  }
  pinned.clear();
  ranges = 0;
  report_ = {};
  sticky_ = runtime::cudaSuccess;
  last_error_of_thread = runtime::cudaSuccess;
}

namespace {

int& current_number() {
  thread_local int number = 0;
  return number;
}

}  // namespace

int Device::current() { return current_number(); }
void Device::make_current(int number) { current_number() = number; }

std::size_t Device::shared_limit(const void* kernel) const {
  const auto asked = shared_limits.find({current(), kernel});
  return asked == shared_limits.end() ? limits::shared_bytes : asked->second;
}

void Device::enqueue(runtime::cudaStream_t stream, std::string name, std::function<void()> work) {
  enqueue(
      stream, [name = std::move(name)] { return name; }, std::move(work));
}

void Device::enqueue(runtime::cudaStream_t stream, std::function<std::string()> name, std::function<void()> work) {
  auto guarded_work = [this, name, work = std::move(work)] { run_work(name, work); };
  streams.enqueue(streams.get(stream), std::make_shared<const Task>(Task{std::move(name), std::move(guarded_work)}));
}

/// Runs queued work, unless the device has failed before. Whatever goes wrong there makes it fail: nobody is left who
/// could be told otherwise.
void Device::run_work(const std::function<std::string()>& name, const std::function<void()>& work) {
  if (sticky_ != runtime::cudaSuccess) {
    return;
  }
  memory.open();
  try {
    work();
  } catch (const Defect& defect) {
    throw Defect{is_sticky(defect.error) ? defect.error : runtime::cudaErrorIllegalAddress, defect.text};
  } catch (const std::exception& error) {
    throw Defect{runtime::cudaErrorLaunchFailure, name() + ": " + error.what()};
  }
  if (const std::optional<std::string> damage = memory.check_guards()) {
    throw Defect{runtime::cudaErrorIllegalAddress, name() + ": " + *damage};
  }
}

void Device::launch(KernelLaunch launch, runtime::cudaStream_t stream) {
  check_limits(launch);
  check_arguments(launch);
  const auto kernel = std::make_shared<const KernelLaunch>(std::move(launch));
  enqueue(
      stream, [kernel] { return describe(*kernel); }, [this, kernel] { run_kernel(*kernel); });
}

void Device::check_limits(const KernelLaunch& launch) const {
  const runtime::dim3& grid = launch.grid;
  const runtime::dim3& block = launch.block;
  const auto refuse = [&](cudaError_t error, const std::string& text) {
    throw Defect{error, describe(launch) + ": " + text};
  };
  if (block.x < 1 || block.y < 1 || block.z < 1 || block.x > limits::block_x || block.y > limits::block_y ||
      block.z > limits::block_z || std::uint64_t{block.x} * block.y * block.z > limits::block_threads) {
    refuse(runtime::cudaErrorInvalidConfiguration,
           fmt::format("a block of {} threads; at most {} in all and {} are possible", describe(block),
                       limits::block_threads, describe({limits::block_x, limits::block_y, limits::block_z})));
  }
  if (grid.x < 1 || grid.y < 1 || grid.z < 1 || grid.x > limits::grid_x || grid.y > limits::grid_y ||
      grid.z > limits::grid_z) {
    refuse(runtime::cudaErrorInvalidConfiguration,
           fmt::format("a grid of {} blocks; from 1 to {} are possible", describe(grid),
                       describe({limits::grid_x, limits::grid_y, limits::grid_z})));
  }
  const std::size_t limit = shared_limit(launch.kernel);
  if (launch.shared_bytes > limit) {
    refuse(runtime::cudaErrorInvalidValue,
           fmt::format("{} bytes of shared memory; at most {} are possible", launch.shared_bytes, limit));
  }
  const int threads = static_cast<int>(block.x * block.y * block.z);
  const int resident = limits::multiprocessors * capability().resident_blocks(threads, launch.shared_bytes);
  const std::uint64_t blocks = std::uint64_t{grid.x} * grid.y * grid.z;
  if (launch.cooperative && blocks > static_cast<std::uint64_t>(resident)) {
    refuse(runtime::cudaErrorCooperativeLaunchTooLarge,
           fmt::format("a cooperative launch of {} blocks; the device holds {} of them at a time", blocks, resident));
  }
}

void Device::check_arguments(const KernelLaunch& launch) const {
  for (const ArgumentWord& word : launch.words) {
    const void* const address = word.value;
    if (address == nullptr || memory.find(address, 0) != nullptr) {
      continue;
    }
    const bool on_device = memory.owns(address);
    if (word.is_pointer || (!on_device && may_be_address(address))) {
      throw Defect{runtime::cudaErrorIllegalAddress,
                   fmt::format("{}: argument {}{} {}, {}", describe(launch), word.parameter + 1,
                               word.is_pointer ? " is" : " holds", address,
                               on_device ? memory.describe(address) : "which is no device memory but the host's")};
    }
  }
}

void Device::run_kernel(const KernelLaunch& launch) {
  if (const std::optional<Defect> defect = grids_.run(launch, options)) {
    const std::string where = defect->address == nullptr     ? ""
                              : memory.owns(defect->address) ? ": " + memory.describe(defect->address)
                                                             : ": no device memory";
    throw Defect{defect->error, describe(launch) + ": " + defect->text + where};
  }
}

void* Device::allocate(std::size_t bytes) {
  if (bytes == 0) {
    return nullptr;
  }
  void* address = nullptr;
  if (bytes <= options.memory_bytes - std::min(options.memory_bytes, memory.used_bytes())) {
    address = memory.allocate(bytes, Pattern(options.fill, Content::floating_point, options.seed));
  }
  if (address == nullptr) {
    throw Defect{runtime::cudaErrorMemoryAllocation, fmt::format("{} bytes asked for, {} of {} are in use", bytes,
                                                                 memory.used_bytes(), options.memory_bytes)};
  }
  return address;
}

void Device::require_allocated(const void* address, std::size_t bytes, const std::string& what) const {
  if (bytes == 0 || memory.find(address, bytes) != nullptr) {
    return;
  }
  const std::string where = memory.owns(address) ? memory.describe(address) : "no device memory but the host's";
  throw Defect{runtime::cudaErrorInvalidValue, fmt::format("{}: {} bytes at {} ({})", what, bytes, address, where)};
}

void configure(const Options& options) {
  Device& device = Device::get();
  device.guarded([&] { device.streams.run_all(); });
  const std::lock_guard guard(device.lock);
  device.options = options;
}

Options options() {
  Device& device = Device::get();
  const std::lock_guard guard(device.lock);
  return device.options;
}

void reset() {
  Device& device = Device::get();
  const std::lock_guard guard(device.lock);
  device.reset();
}

cudaError_t enqueue(runtime::cudaStream_t stream, std::string name, std::function<void()> work) {
  Device& device = Device::get();
  return device.guarded([&] { device.enqueue(stream, std::move(name), std::move(work)); });
}

int open_ranges() {
  Device& device = Device::get();
  const std::lock_guard guard(device.lock);
  return device.ranges;
}

cudaError_t launch(KernelLaunch launch, runtime::cudaStream_t stream) {
  Device& device = Device::get();
  return device.guarded([&] { device.launch(std::move(launch), stream); });
}

std::string last_report() {
  Device& device = Device::get();
  const std::lock_guard guard(device.lock);
  return device.report().text;
}

std::string report_suffix(cudaError_t error) {
  Device& device = Device::get();
  const std::lock_guard guard(device.lock);
  return device.report().error == error && !device.report().text.empty() ? ": " + device.report().text : "";
}

}  // namespace touchstone::emulation
