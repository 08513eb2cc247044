// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "emulation_support.h"
#include "host/train/run_directory.h"
#include "tests/error_message.h"
#include "tests/temporary_directory.h"
#include "tests/tiny_data.h"
#include "touchstone/training.h"

namespace touchstone::emulated {
namespace {

using testing::AllOf;
using testing::HasSubstr;

__global__ void diverge() {
  if (threadIdx.x < 20) __syncthreads();
}

/// Lets a kernel fail, with an error that sticks, once `calls` reports of progress have come.
class DeviceBreaker : public TrainingObserver {
 public:
  explicit DeviceBreaker(int calls) : calls_(calls) {}
  void on_progress(const TrainingProgress& /*progress*/) override {
    if (--calls_ != 0) return;
    launch(diverge, 1, 40, 0, nullptr);
    static_cast<void>(cudaDeviceSynchronize());  // fails, and so does every call that follows
  }

 private:
  int calls_;
};

using TrainingEmulated = EmulationTest;

TrainingSettings tiny_settings() {
  TrainingSettings settings{.recipe = test::tiny_network().recipe()};
  settings.recipe.epochs = 2;
  return settings;
}

TEST_F(TrainingEmulated, AFailedKernelLosesNothingThatWasReported) {
  const DeviceRequest device{.name = "emulated"};
  const test::TemporaryDirectory run;
  {
    DeviceBreaker breaker(3);
    const std::string message = test::error_message([&] {
      train(test::tiny_network(), test::tiny_dataset(), tiny_settings(), device,
            {.run_directory = run.path(), .observer = &breaker});
    });
    EXPECT_THAT(message, AllOf(HasSubstr("diverge"), HasSubstr("the state after step "), HasSubstr("--resume")));
  }
  start_over();
  ASSERT_TRUE(std::filesystem::exists(run / checkpoint_file));
  const TrainingResult resumed = train(test::tiny_network(), test::tiny_dataset(), tiny_settings(), device,
                                       {.run_directory = run.path(), .resume = true});
  const TrainingResult whole = train(test::tiny_network(), test::tiny_dataset(), tiny_settings(), device);
  EXPECT_EQ(resumed.model.parameters, whole.model.parameters);
  EXPECT_EQ(resumed.epochs.size(), 2U);
}

TEST_F(TrainingEmulated, AnEpochIsOneProfilerRange) {
  class RangeCounter : public TrainingObserver {
   public:
    void on_progress(const TrainingProgress& /*progress*/) override { EXPECT_EQ(emulation::open_ranges(), 1); }
  } counter;
  train(test::tiny_network(), test::tiny_dataset(), tiny_settings(), {.name = "emulated"}, {.observer = &counter});
  EXPECT_EQ(emulation::open_ranges(), 0);
}

TEST_F(TrainingEmulated, LearnsAsTheReferenceDoes) {
  const auto test_accuracy = [](const std::string& device) {
    return train(test::tiny_network(), test::tiny_dataset(), tiny_settings(), {.name = device}).test_accuracy.value();
  };
  EXPECT_NEAR(test_accuracy("emulated"), test_accuracy("reference"), 1e-12);
}

}  // namespace
}  // namespace touchstone::emulated
