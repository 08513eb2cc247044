// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>
#include <string>
#include <tuple>
#include <utility>

#include <cxxabi.h>

#include "kernels/check.h"

#ifdef TOUCHSTONE_EMULATED
#include "emulation/kernel.h"
#endif

namespace touchstone::TOUCHSTONE_BACKEND {

/// A stream together with the place in the source that names it: any cudaStream_t converts to it at the call.
struct LaunchStream {
  // NOLINTNEXTLINE(google-explicit-constructor): the conversion at the call site is what records the place
  LaunchStream(cudaStream_t launch_stream, const char* call_file = __builtin_FILE(), int call_line = __builtin_LINE())
      : stream(launch_stream), file(call_file), line(call_line) {}

  cudaStream_t stream;
  const char* file;
  int line;
};

namespace detail {

/// Dynamic shared memory that any kernel may use without asking for more.
inline constexpr std::size_t default_shared_bytes = std::size_t{48} * 1024;

inline std::string demangled(const char* symbol) {
  int status = 0;
  const std::unique_ptr<char, void (*)(void*)> text(abi::__cxa_demangle(symbol, nullptr, nullptr, &status), std::free);
  return status == 0 ? text.get() : symbol;
}

inline std::string kernel_name(const void* kernel) {
  const char* symbol = nullptr;
  return cudaFuncGetName(&symbol, kernel) == cudaSuccess && symbol != nullptr ? demangled(symbol) : "a kernel";
}

inline std::string to_string(const dim3& size) {
  return std::string("(") + std::to_string(size.x) + "," + std::to_string(size.y) + "," + std::to_string(size.z) + ")";
}

[[noreturn]] inline void throw_launch_error(const void* kernel, const dim3& grid, const dim3& block,
                                            std::size_t shared_bytes, const LaunchStream& at, cudaError_t error) {
  throw DeviceError(std::string("launch of ") + kernel_name(kernel) + " with grid " + to_string(grid) + ", block " +
                    to_string(block) + ", " + std::to_string(shared_bytes) + " bytes of shared memory at " + at.file +
                    ":" + std::to_string(at.line) + ": " + describe(error));
}

template <std::size_t... Index, class... Parameters>
cudaError_t start(void (*kernel)(Parameters...), dim3 grid, dim3 block, std::size_t shared_bytes,
                  const LaunchStream& at, bool cooperative, std::tuple<Parameters...>& values,
                  std::index_sequence<Index...> /*indices*/) {
#ifdef TOUCHSTONE_EMULATED
  return emulation::launch(kernel, grid, block, shared_bytes, at.stream, {at.file, at.line}, cooperative, values);
#else
  void* addresses[] = {static_cast<void*>(&std::get<Index>(values))..., nullptr};
  const auto* symbol = reinterpret_cast<const void*>(kernel);
  return cooperative ? cudaLaunchCooperativeKernel(symbol, grid, block, addresses, shared_bytes, at.stream)
                     : cudaLaunchKernel(symbol, grid, block, addresses, shared_bytes, at.stream);
#endif
}

/// Asks for more than 48 KB of shared memory where a kernel takes it.
template <class... Parameters>
cudaError_t allow_shared_bytes(void (*kernel)(Parameters...), std::size_t shared_bytes) {
  return shared_bytes <= default_shared_bytes
             ? cudaSuccess
             : cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel), cudaFuncAttributeMaxDynamicSharedMemorySize,
                                    static_cast<int>(shared_bytes));
}

template <class... Parameters, class... Arguments>
void launch(bool cooperative, void (*kernel)(Parameters...), dim3 grid, dim3 block, std::size_t shared_bytes,
            const LaunchStream& stream, Arguments&&... arguments) {
  static_assert(sizeof...(Parameters) == sizeof...(Arguments), "as many arguments as the kernel has parameters");
  cudaError_t error = allow_shared_bytes(kernel, shared_bytes);
  if (error == cudaSuccess) {
    std::tuple<Parameters...> values{static_cast<Parameters>(std::forward<Arguments>(arguments))...};
    error =
        start(kernel, grid, block, shared_bytes, stream, cooperative, values, std::index_sequence_for<Parameters...>());
  }
  if (error != cudaSuccess) {
    throw_launch_error(reinterpret_cast<const void*>(kernel), grid, block, shared_bytes, stream, error);
  }
}

}  // namespace detail

/// Starts `kernel` on `stream`: what kernel<<<grid, block, shared_bytes, stream>>>(arguments...) does, in a form that
/// every C++ compiler reads. More than 48 KB of shared memory is asked for on the way. Throws Error naming the kernel,
/// its launch settings, CUDA's error and the place of the launch, where CUDA refuses it.
template <class... Parameters, class... Arguments>
void launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, std::size_t shared_bytes, LaunchStream stream,
            Arguments&&... arguments) {
  detail::launch(false, kernel, grid, block, shared_bytes, stream, std::forward<Arguments>(arguments)...);
}

/// As launch(), with all blocks under way at a time, so that they can meet (kernels/grid_barrier.h): at most
/// resident_blocks() a multiprocessor.
template <class... Parameters, class... Arguments>
void launch_cooperative(void (*kernel)(Parameters...), dim3 grid, dim3 block, std::size_t shared_bytes,
                        LaunchStream stream, Arguments&&... arguments) {
  detail::launch(true, kernel, grid, block, shared_bytes, stream, std::forward<Arguments>(arguments)...);
}

/// The blocks of a kernel that a multiprocessor of the current device holds at a time.
template <class... Parameters>
[[nodiscard]] int resident_blocks(void (*kernel)(Parameters...), int threads, std::size_t shared_bytes) {
  check(detail::allow_shared_bytes(kernel, shared_bytes), "cudaFuncSetAttribute");
  int blocks = 0;
  check(cudaOccupancyMaxActiveBlocksPerMultiprocessor(&blocks, reinterpret_cast<const void*>(kernel), threads,
                                                      shared_bytes),
        "cudaOccupancyMaxActiveBlocksPerMultiprocessor");
  return blocks;
}

}  // namespace touchstone::TOUCHSTONE_BACKEND
