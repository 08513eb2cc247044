// SPDX-License-Identifier: Apache-2.0
#include "touchstone/device.h"

#include <algorithm>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include "tests/error_message.h"
#include "touchstone/network.h"

namespace touchstone {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

ExecutorSettings seed_settings() {
  return {.plan = make_plan(Network::named("seed")), .normalisation = {}, .optimizer = {}};
}

TEST(Device, AutoIsADeviceOfItsOwnName) {
  EXPECT_THAT(device_names(), Contains(make_executor({}, seed_settings())->device()));
  EXPECT_EQ(make_executor({.name = "reference"}, seed_settings())->device(), "reference");
  EXPECT_EQ(make_executor({.name = "cpu", .threads = 2}, seed_settings())->device(), "cpu");
}

TEST(Device, AnUnknownNameIsAUsageError) {
  EXPECT_THROW(make_executor({.name = "gpu"}, seed_settings()), UsageError);
  EXPECT_THAT(test::error_message([] { make_executor({.name = "referense"}, seed_settings()); }),
              HasSubstr("did you mean `reference`?"));
  EXPECT_THROW(make_executor({.name = "cpu", .threads = -1}, seed_settings()), UsageError);
}

TEST(Device, GpusGoByTheirNumber) {
  for (const char* name : {"cuda", "cuda:0", "cuda:17"}) EXPECT_NO_THROW(validate_device_name(name)) << name;
  for (const char* name : {"cuda:", "cuda:x", "cuda:-1", "cuda:1x", "cuda1", "cpu:0"}) {
    EXPECT_THROW(validate_device_name(name), UsageError) << name;
  }
}

TEST(Device, EmulatedDevicesGoByTheirNumber) {
  for (const char* name : {"emulated", "emulated:0", "emulated:1"}) {
    EXPECT_NO_THROW(validate_device_name(name)) << name;
    EXPECT_TRUE(is_emulated(name)) << name;
  }
  for (const char* name : {"emulated:", "emulated:x", "emulatedX", "emulated:1x"}) {
    EXPECT_THROW(validate_device_name(name), UsageError) << name;
  }
  for (const char* name : {"cuda", "cuda:1", "cpu"}) EXPECT_FALSE(is_emulated(name)) << name;
  EXPECT_THAT(test::error_message([] { make_executor({.name = "emulated:2"}, seed_settings()); }),
              HasSubstr("device emulated:2: there are 2 GPUs, counted from emulated:0"));
}

TEST(Device, TensorCoresAreOfTheSecondEmulatedDeviceAndCanBeTurnedOff) {
  const ExecutionPlan plan = seed_settings().plan;
  EXPECT_FALSE(execution_path({.name = "emulated"}, plan).tensor_cores);
  const ExecutionPath by_them = execution_path({.name = "emulated:1"}, plan);
  EXPECT_TRUE(by_them.tensor_cores);
  EXPECT_THAT(by_them.detail, HasSubstr("convolutions by tensor cores"));
  const ExecutionPath without = execution_path({.name = "emulated:1", .tensor_cores = false}, plan);
  EXPECT_FALSE(without.tensor_cores);
  EXPECT_EQ(without.name, "fused");
  EXPECT_FALSE(execution_path({.name = "emulated:1", .path = PathRequest::layered}, plan).tensor_cores);
}

TEST(Device, AGpuThatIsNotThereIsAnErrorInOneLine) {
  const std::string message = test::error_message([] { make_executor({.name = "cuda:4711"}, seed_settings()); });
  EXPECT_THAT(message, HasSubstr("device cuda"));
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
}

TEST(Device, EveryListedNameButAutoIsDescribed) {
  const std::vector<DeviceInfo> devices = list_devices();
  for (const std::string& name : device_names()) {
    // "cuda:0" describes cuda
    const bool listed = std::any_of(devices.begin(), devices.end(), [&](const DeviceInfo& info) {
      return info.name.substr(0, info.name.find(':')) == name;
    });
    EXPECT_EQ(listed, name != "auto") << name;
  }
}

TEST(Device, UsableCoresFollowTheAffinity) {
  cpu_set_t before;
  ASSERT_EQ(::sched_getaffinity(0, sizeof before, &before), 0);
  EXPECT_GE(usable_cores(), 1);
  EXPECT_LE(usable_cores(), CPU_COUNT(&before));
  std::thread([&] {
    cpu_set_t one;
    CPU_ZERO(&one);
    for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; ++cpu) {
      if (CPU_ISSET(cpu, &before)) CPU_SET(cpu, &one);
    }
    ASSERT_EQ(::sched_setaffinity(0, sizeof one, &one), 0);  // of this thread alone
    EXPECT_EQ(usable_cores(), 1);
  }).join();
}

}  // namespace
}  // namespace touchstone
