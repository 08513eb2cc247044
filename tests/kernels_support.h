// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "kernels/backend.h"
#include "kernels/devices.h"

#ifdef TOUCHSTONE_EMULATED
#include "emulation/device.h"
#endif

/// What the tests of kernels/ share. Each is compiled twice, for the emulated device and for a GPU.
namespace touchstone::test {

namespace backend = ::touchstone::TOUCHSTONE_BACKEND;

/// A test on the device: the emulated one starts afresh, and where there is no GPU the test is skipped.
class KernelTest : public ::testing::Test {
 protected:
  void SetUp() override {
#ifdef TOUCHSTONE_EMULATED
    emulation::reset();
    emulation::configure({});
#endif
    const std::string problem = backend::devices().front().problem;
    if (!problem.empty()) {
      ASSERT_FALSE(backend::emulated_build) << problem;
      GTEST_SKIP() << problem;
    }
  }
};

/// float32 copies of values that float32 holds.
inline std::vector<float> to_floats(const std::vector<double>& values) { return {values.begin(), values.end()}; }

inline std::vector<double> to_doubles(const std::vector<float>& values) { return {values.begin(), values.end()}; }

/// An output that the operation has to overwrite.
inline std::vector<float> unwritten(std::int64_t count) {
  return std::vector<float>(static_cast<std::size_t>(count), -12345.0F);
}

}  // namespace touchstone::test
