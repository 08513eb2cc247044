// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "emulation/device.h"
#include "emulation/sanitizer.h"
#include "kernels/check.h"
#include "kernels/launch.h"

namespace touchstone::emulated {

/// A test that begins and ends with a fresh emulated device.
class EmulationTest : public testing::Test {
 public:
  EmulationTest(const EmulationTest&) = delete;
  EmulationTest& operator=(const EmulationTest&) = delete;

 protected:
  EmulationTest() { start_over(); }
  ~EmulationTest() override { start_over(); }

  static void start_over(const emulation::Options& options = {}) {
    emulation::reset();
    emulation::configure(options);
  }
};

/// An array in device memory.
template <class T>
class DeviceArray {
 public:
  explicit DeviceArray(std::size_t count) : count_(count) {
    check(cudaMalloc(&data_, count * sizeof(T)), "cudaMalloc");
  }
  explicit DeviceArray(const std::vector<T>& values) : DeviceArray(values.size()) {
    check(cudaMemcpy(data_, values.data(), count_ * sizeof(T), cudaMemcpyHostToDevice), "cudaMemcpy");
  }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;
  ~DeviceArray() { static_cast<void>(cudaFree(data_)); }

  [[nodiscard]] T* data() const { return data_; }
  [[nodiscard]] std::vector<T> read() const {
    std::vector<T> values(count_);
    check(cudaMemcpy(values.data(), data_, count_ * sizeof(T), cudaMemcpyDeviceToHost), "cudaMemcpy");
    return values;
  }

 private:
  T* data_ = nullptr;
  std::size_t count_;
};

/// The message of the Error that `action` throws; empty where it throws none.
template <class Action>
std::string error_of(const Action& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

inline void synchronise() { check(cudaDeviceSynchronize(), "cudaDeviceSynchronize"); }

}  // namespace touchstone::emulated
